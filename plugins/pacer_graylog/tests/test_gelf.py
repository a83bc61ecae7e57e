"""Records as GELF 1.1, and GELF in datagrams: what Graylog's documentation asks for."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pacer_graylog.gelf import MOST_CHUNKS, cut, datagrams, message

RECORD = {
    "@timestamp": "2026-03-14T09:26:53.589+00:00",
    "log.level": "warning",
    "message": "datasets: dead in q.dead: no such investigation",
    "log": {"logger": "pacer.settle", "origin": {"file": {"name": "settle.py", "line": 7}}},
    "labels": {"correlation_id": "0193a1b2", "outcome": "dead"},
    "event": {"outcome": "failure", "duration": 12},
    "service": {"name": "pacer", "version": "0.1.0"},
}


def gelf(record: dict[str, Any], **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(message(record, created=1_773_480_413.5891, host="h1", more=more))
    return found


def test_a_record_has_the_fields_of_gelf_and_of_the_elastic_common_schema() -> None:
    assert gelf(RECORD, facility="pacer", service_environment="test") == {
        "version": "1.1",
        "host": "h1",
        "short_message": "datasets: dead in q.dead: no such investigation",
        "timestamp": 1_773_480_413.589,
        "level": 4,
        "_log_level": "warning",
        "_log_logger": "pacer.settle",
        "_log_origin_file_name": "settle.py",
        "_log_origin_file_line": 7,
        "_labels_correlation_id": "0193a1b2",
        "_labels_outcome": "dead",
        "_event_outcome": "failure",
        "_event_duration": 12,
        "_service_name": "pacer",
        "_service_version": "0.1.0",
        "_facility": "pacer",
        "_service_environment": "test",
    }


def test_levels_are_those_of_syslog() -> None:
    levels = ("debug", "info", "warning", "error", "critical")
    assert [gelf({"message": "x", "log.level": one})["level"] for one in levels] == [7, 6, 4, 3, 2]


def test_a_traceback_is_the_full_message_and_the_first_line_the_short_one() -> None:
    found = gelf({"message": "it broke\nbadly", "error": {"type": "ValueError", "stack_trace": "at a.py:1"}})
    assert found["short_message"] == "it broke"
    assert found["full_message"] == "it broke\nbadly\nat a.py:1"
    assert found["_error_type"] == "ValueError"


def test_there_is_always_a_short_message_and_never_a_field_called_id() -> None:
    found = gelf({"message": "", "id": 5, "odd name!": True})
    assert found["short_message"] == "-"
    assert "_id" not in found
    assert found["__id"] == 5
    assert found["_odd_name_"] == "True"


def together(parts: list[bytes]) -> bytes:
    """Put chunks together as Graylog does, from any order."""
    assert len({one[2:10] for one in parts}) == 1
    assert all(one[:2] == b"\x1e\x0f" and one[11] == len(parts) for one in parts)
    return b"".join(one[12:] for one in sorted(parts, key=lambda one: one[10]))


@given(st.binary(min_size=101, max_size=11_000))
def test_what_is_larger_than_a_datagram_comes_in_chunks(payload: bytes) -> None:
    parts = datagrams(payload, 100)
    assert all(len(one) <= 100 for one in parts)
    assert together(parts) == payload


def test_a_datagram_that_is_large_enough_is_no_chunk() -> None:
    assert datagrams(b"x" * 100, 100) == [b"x" * 100]


def test_what_would_be_too_many_chunks_is_none_and_can_be_cut() -> None:
    assert len(datagrams(b"x" * 88 * MOST_CHUNKS, 100)) == MOST_CHUNKS
    assert datagrams(b"x" * (88 * MOST_CHUNKS + 1), 100) == []
    shorter = json.loads(next(cut(message({"message": "x" * 500_000}, created=1.0, host="h", more={}))))
    assert shorter["_pacer_cut"] == 1
    assert len(shorter["full_message"]) == 8000


def test_the_last_cut_fits_into_the_smallest_datagrams_whatever_a_record_holds() -> None:
    record = {"message": "ü" * 500_000, **{f"{number}{'n' * 5000}": "ü" * 9000 for number in range(200)}}
    *_, last = cut(message(record, created=1.0, host="h", more={}))
    assert datagrams(last, 100)
    assert json.loads(last)["short_message"] == "ü" * 250


def test_the_short_message_is_the_first_line_that_says_something() -> None:
    assert gelf({"message": "\n \nhello\nyou"})["short_message"] == "hello"
