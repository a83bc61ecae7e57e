"""What becomes of a value: taken, passed over, or dead with the reason."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streaming_data_types.finished_writing_wrdn import serialise_wrdn
from streaming_data_types.run_start_pl72 import DetectorSpectrumMap, serialise_pl72

from pacer_core import PacerError
from pacer_kafka import KafkaOptions, Topic
from pacer_kafka.decoders import decoder, identify, known
from pacer_kafka.reading import Read, Reader, Record

WRITTEN = serialise_wrdn("writer-1", "job-7", False, "/data/ymir/7.nxs", '{"hdf_structure": {}}', "done")
TAKE = Topic("writer", ("wrdn", "pl72", "json"), {"json": "requests"})


def read(value: bytes | None, *, key: bytes | None = None, topic: Topic = TAKE, **options: Any) -> Read:
    headers = {"traceparent": b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "other": b"x"}
    reader = Reader(KafkaOptions(("kafka:9092",), (topic,), **options))
    return reader.read(Record("writer", 2, 41, key, value, headers))


def fields(found: Read) -> Mapping[str, Any]:
    assert found.publication is not None
    decoded: Mapping[str, Any] = json.loads(found.publication.body)
    return decoded


def test_a_written_file_becomes_json_with_its_place_in_the_headers() -> None:
    found = read(WRITTEN, key=b"ymir")
    assert fields(found) == {
        "service_id": "writer-1",
        "job_id": "job-7",
        "error_encountered": False,
        "file_name": "/data/ymir/7.nxs",
        "metadata": '{"hdf_structure": {}}',
        "message": "done",
    }
    sent = found.publication
    assert sent is not None
    assert (found.counted, sent.to, sent.content_type, sent.dead) == (
        "taken",
        "nexus-files",
        "application/json",
        "",
    )
    assert sent.message_id == "writer/2/41"
    assert sent.headers == {
        "x-kafka-topic": "writer",
        "x-kafka-partition": 2,
        "x-kafka-offset": 41,
        "x-kafka-key": "ymir",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }


def test_a_run_that_starts_becomes_json_with_all_its_fields() -> None:
    spectra = DetectorSpectrumMap(np.array([1, 2]), np.array([7, 8]), 2)
    structure = '{"children": []}'
    value = serialise_pl72(
        "job-7",
        "7.nxs",
        start_time=1_700_000_000_000,
        nexus_structure=structure,
        instrument_name="YMIR",
        detector_spectrum_map=spectra,
    )
    found = read(value)
    told = fields(found)
    assert found.publication is not None
    assert found.publication.to == "scicat-samples"
    assert told["job_id"] == "job-7"
    assert told["filename"] == "7.nxs"
    assert told["start_time"] == 1_700_000_000_000
    assert told["nexus_structure"] == structure
    assert told["instrument_name"] == "YMIR"
    assert told["detector_spectrum_map"] == {
        "spectrum_numbers": [1, 2],
        "detector_ids": [7, 8],
        "n_spectra": 2,
    }


@pytest.mark.parametrize(
    "text", [b'{"file_name": "/a.nxs"}', b'\xef\xbb\xbf {"a": 1}', b"\n[1]", b'[  "wrdn"]']
)
def test_json_goes_as_it_is(text: bytes) -> None:
    found = read(text)
    assert found.publication is not None
    assert (found.publication.to, found.publication.body) == ("requests", text)


def test_a_consumer_of_another_name_can_be_chosen() -> None:
    found = read(WRITTEN, topic=Topic("writer", to={"wrdn": "urgent"}))
    assert found.publication is not None
    assert found.publication.to == "urgent"


def test_other_schemas_are_passed_over_and_counted() -> None:
    assert read(WRITTEN[:4] + b"ev44" + WRITTEN[8:]) == Read("ignored")
    assert read(b'{"a": 1}', topic=Topic("writer")) == Read("ignored")
    assert read(serialise_pl72("j", "f"), topic=Topic("writer")) == Read("ignored")


@pytest.mark.parametrize(
    ("value", "counted", "why"),
    [
        (None, "null_values", "writer/2/41: it has no value"),
        (b"", "unreadable", "writer/2/41: it is empty"),
        (b"hello", "unreadable", "writer/2/41: its 5 bytes are neither JSON nor a FlatBuffer"),
        (WRITTEN[:-8], "unreadable", "writer/2/41: it cannot be read as wrdn: it ends before its last field"),
        (WRITTEN[:20], "unreadable", "writer/2/41: it cannot be read as wrdn: it is cut off or damaged"),
        (WRITTEN.replace(b"ymir", b"\xff\xfe\xff\xfe"), "unreadable", "a text in it is not UTF-8"),
    ],
)
def test_what_cannot_be_read_is_dead_with_its_bytes_and_the_reason(
    value: bytes | None, counted: str, why: str
) -> None:
    found = read(value)
    sent = found.publication
    assert sent is not None
    assert (found.counted, sent.to, sent.body) == (counted, "nexus-files", value or b"")
    assert why in sent.dead
    assert sent.message_id == "writer/2/41"
    assert read(value, null_values="count", unreadable="count") == Read(counted)


def test_a_failed_writer_s_message_is_dead_and_could_be_handled_all_the_same() -> None:
    value = serialise_wrdn("writer-1", "job-7", True, "/data/7.nxs", None, "the disk is full")
    found = read(value)
    assert found.publication is not None
    assert found.counted == "writer_errors"
    assert found.publication.dead == "writer/2/41: the file-writer has met an error: the disk is full"
    assert fields(found)["file_name"] == "/data/7.nxs"
    assert read(value, writer_errors="count") == Read("writer_errors")
    taken = read(value, writer_errors="take")
    assert taken.counted == "taken"
    assert taken.publication is not None
    assert not taken.publication.dead


# A text's last bytes are its end and padding: without those it is still whole.
@pytest.mark.parametrize("length", range(len(WRITTEN) - 3))
def test_a_message_that_is_cut_anywhere_is_never_taken_for_a_shorter_one(length: int) -> None:
    found = read(WRITTEN[:length])
    assert found.counted == "unreadable" or fields(found) == fields(read(WRITTEN))


@given(st.binary(max_size=200))
def test_no_bytes_end_the_service(value: bytes) -> None:
    assert read(value).counted in ("unreadable", "ignored", "taken")
    assert read(WRITTEN[:8] + value).counted in ("unreadable", "taken", "writer_errors")


def test_a_long_key_that_is_no_text_is_shown_as_far_as_a_header_should_go() -> None:
    sent = read(WRITTEN, key=b"\xff" * 5000).publication
    assert sent is not None
    assert sent.headers["x-kafka-key"].startswith("\\xff\\xff")
    assert len(sent.headers["x-kafka-key"]) == 1024


DECODERS = """
from pacer_kafka import KafkaDecoder

EV44 = KafkaDecoder("ev44", "events", lambda value: {"bytes": len(value)})
NONE = "no decoder"
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another distribution with decoders of its own."""
    (tmp_path / "events_pacer.py").write_text(DECODERS)
    info = tmp_path / "events_pacer-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: events-pacer\nVersion: 1.0\n")
    points = ["ev44 = events_pacer:EV44", "bad1 = events_pacer:NONE", "bad2 = events_pacer_gone:X"]
    (info / "entry_points.txt").write_text("\n".join(["[pacer_kafka]", *points]))
    monkeypatch.syspath_prepend(tmp_path)
    known.cache_clear()
    decoder.cache_clear()
    yield
    monkeypatch.undo()
    known.cache_clear()
    decoder.cache_clear()
    sys.modules.pop("events_pacer", None)


@pytest.mark.usefixtures("installed")
def test_another_plugin_s_decoder_is_found_by_its_identifier() -> None:
    value = WRITTEN[:4] + b"ev44" + WRITTEN[8:]
    found = read(value, topic=Topic("writer", ("wrdn", "ev44")))
    assert found.publication is not None
    assert (found.publication.to, fields(found)) == ("events", {"bytes": len(value)})


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("identifier", "why"),
    [
        ("bad1", "the decoder 'bad1' of events-pacer 1.0 is no KafkaDecoder"),
        ("bad2", "the decoder 'bad2' of events-pacer 1.0 cannot be loaded: ModuleNotFoundError"),
        ("f144", "no plugin decodes 'f144' (there are: bad1, bad2, ev44, json, pl72, wrdn)"),
    ],
)
def test_a_decoder_that_does_not_work_is_named_with_its_distribution(identifier: str, why: str) -> None:
    with pytest.raises(PacerError) as raised:
        decoder(identifier)
    assert why in str(raised.value)


def test_two_decoders_of_one_identifier_are_an_error(installed: None, tmp_path: Path) -> None:
    other = tmp_path / "other_pacer-2.0.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: other-pacer\nVersion: 2.0\n")
    (other / "entry_points.txt").write_text("[pacer_kafka]\nwrdn = events_pacer:EV44\n")
    known.cache_clear()
    with pytest.raises(PacerError) as raised:
        known()
    assert "two distributions decode 'wrdn'" in str(raised.value)
    assert "other-pacer 2.0" in str(raised.value)


def test_what_begins_like_json_is_json_whatever_follows() -> None:
    assert identify(b'{"x"wrdn', ("wrdn",)) == "json"
    assert identify(b"", ("wrdn",)) == ""
