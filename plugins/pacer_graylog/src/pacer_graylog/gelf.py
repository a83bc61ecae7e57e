"""Records as GELF 1.1, and GELF in datagrams.

https://go2docs.graylog.org/current/getting_in_log_data/gelf.html is the format: short names, additional
fields with ``_`` in front whose values are text or numbers, and chunks of a datagram.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

_LEVELS = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
_NOT_IN_A_NAME = re.compile(r"[^\w-]")
_MAGIC = b"\x1e\x0f"
_HEADER = 12  # the magic bytes, eight of an id, a number and a count
MOST_CHUNKS = 128
_SHORT = 250
"""Characters of a first line that Graylog's list of records shows."""
_CUTS = ((100, 8000), (50, 500), (20, 60))
"""Fields, and characters of each, that stay of a record that would not fit into datagrams."""
_NEEDED = ("version", "host", "short_message", "timestamp", "level")


def message(record: Mapping[str, Any], *, created: float, host: str, more: Mapping[str, Any]) -> bytes:
    """Give a record, as the Elastic Common Schema has it, as one GELF message in JSON.

    The dots of the schema's names are underscores, which Graylog makes of them in any case.
    """
    said = str(record.get("message", ""))
    error = record.get("error") or {}
    trace = str(error.get("stack_trace", ""))
    short = next((line for line in said.splitlines() if line.strip()), "-")  # an empty one is refused
    fields: dict[str, Any] = {
        "version": "1.1",
        "host": host,
        "short_message": short[:_SHORT],
        "timestamp": round(created, 3),
        "level": _LEVELS.get(str(record.get("log.level")), 6),
    }
    if trace or len(short) > _SHORT or short != said:
        fields["full_message"] = "\n".join(filter(None, (said, trace)))
    left = {key: value for key, value in record.items() if key not in ("message", "@timestamp")}
    fields |= dict(_flat({**left, **more}, ""))
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def _flat(data: Mapping[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    for key, value in data.items():
        name = f"{before}_{_NOT_IN_A_NAME.sub('_', str(key))}"
        if isinstance(value, Mapping):
            yield from _flat(value, name)
        elif value is not None:
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            yield ("__id" if name == "_id" else name), value if is_number else str(value)


def cut(payload: bytes) -> Iterator[bytes]:
    """Give a message with less and less of its texts, as one has to be that datagrams cannot hold."""
    fields = json.loads(payload)
    for count, length in _CUTS:
        kept = {name: _shortened(value, length) for name, value in list(fields.items())[:count]}
        yield _cut_to(kept)
    yield _cut_to({name: _shortened(fields[name], _SHORT) for name in _NEEDED})


def _cut_to(fields: Mapping[str, Any]) -> bytes:
    return json.dumps({**fields, "_pacer_cut": 1}, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _shortened(value: Any, length: int) -> Any:
    return value[:length] if isinstance(value, str) else value


def datagrams(payload: bytes, size: int) -> list[bytes]:
    """Give what is sent of a payload: itself, or its chunks; nothing where these would be too many."""
    if len(payload) <= size:
        return [payload]
    room = size - _HEADER
    count = -(-len(payload) // room)
    if count > MOST_CHUNKS:
        return []
    name = os.urandom(8)
    return [
        _MAGIC + name + bytes((number, count)) + payload[number * room : (number + 1) * room]
        for number in range(count)
    ]
