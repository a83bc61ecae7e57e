"""Log files read again: what they say of a message, from either format, across rotated files."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from attrs import evolve, field, frozen

from pacer_core.model.errors import PacerError

# A line of `formats.Plain`, after whatever journald or a container's runtime has put before it.
_PLAIN = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) (?P<level>[A-Z]+) +\d+ (?P<logger>[\w.-]+): "
    r"(?P<text>.*?)(?: \[(?P<message>[^\[\]]+)\])?$"
)
# What stands before the lines below a record: `formats.MORE`, or what rsyslog makes of it.
_MORE = re.compile(r"\t|#011")
# What `model.identifiers` writes, at the end of a text: whatever stands before it, others may have written.
_NAME, _VALUE = r"[\w.-]+", r'"(?:[^"\\]|\\.)*"|[^\s"\'=;\[\]\\]+'
_PAIR = re.compile(f"(?P<name>{_NAME})=(?P<value>{_VALUE})")
_PAIRS = re.compile(f"(?:^|; )({_NAME}=(?:{_VALUE})(?: {_NAME}=(?:{_VALUE}))*)$")


@frozen
class Entry:
    """One record of a log.

    ``message`` is the correlation id of the message that it is about; ``labels`` are that message's
    identifiers, where the record tells them; ``more`` are the lines below it, such as a traceback.
    """

    time: str
    level: str
    logger: str
    text: str
    message: str | None = None
    labels: Mapping[str, str] = field(factory=dict)
    more: tuple[str, ...] = ()


def files_of(path: Path) -> list[Path]:
    """Give a log file and those that it was rotated to (``PATH.1``, ``PATH.2.gz``), the oldest first."""
    rotated = re.compile(re.escape(path.name) + r"\.(\d+)(\.gz)?")
    numbered = [
        (int(found[1]), one)
        for one in path.parent.glob(f"{path.name}.*")
        if (found := rotated.fullmatch(one.name)) is not None
    ]
    older = [one for _, one in sorted(numbered, reverse=True)]
    return [*older, *([path] if path.exists() else [])]


def read_file(path: Path) -> Iterator[Entry]:
    """Give the records of a file, also of one that gzip has made smaller.

    Raises
    ------
    PacerError
        Where it cannot be read.
    """
    try:
        with _opened(path) as lines:
            yield from read(lines)
    except (OSError, EOFError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise PacerError(f"the log {path} cannot be read: {why}") from None


def _opened(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", errors="replace")
    return path.open(encoding="utf-8", errors="replace")


def read(lines: Iterable[str]) -> Iterator[Entry]:
    """Give the records of lines in either format; a line that begins none belongs to the one before it."""
    held: Entry | None = None
    more: list[str] = []
    for line in lines:
        entry = _entry(line.rstrip("\n"))
        if entry is None:
            more.append(_below(line.rstrip("\n")))
            continue
        if held is not None:
            yield evolve(held, more=(*held.more, *more))
        held, more = entry, []
    if held is not None:
        yield evolve(held, more=(*held.more, *more))


def _entry(line: str) -> Entry | None:
    """Give the record that a line begins; what others said begins none, wherever it stands."""
    at, found = line.find('{"@timestamp"'), _PLAIN.search(line)
    plain = len(line) if found is None else found.start()
    begins = plain if at < 0 else min(at, plain)
    if begins == len(line) or _MORE.search(line, 0, begins):
        return None
    if found is None or begins < plain:
        try:
            return _from_ecs(json.loads(line[at:]))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None
    labels = _pairs(found["text"]) if found["logger"] == "pacer.settle" else {}
    return Entry(found["time"], found["level"], found["logger"], found["text"], found["message"], labels)


def _below(line: str) -> str:
    """Give a line below a record as it is without what the log, or who keeps it, has put before it."""
    mark = _MORE.search(line)
    return line[mark.end() :] if mark else line


def _from_ecs(data: Mapping[str, Any]) -> Entry:
    labels = {str(name): str(value) for name, value in data.get("labels", {}).items()}
    message = labels.pop("correlation_id", None)
    trace = str(data.get("error", {}).get("stack_trace", ""))
    return Entry(
        data["@timestamp"],
        str(data["log.level"]).upper(),
        str(data["log"]["logger"]),
        str(data["message"]),
        message,
        labels,
        tuple(trace.splitlines()),
    )


def _pairs(text: str) -> dict[str, str]:
    described = _PAIRS.search(text)
    return {
        found["name"]: _plain(found["value"]) for found in _PAIR.finditer(described[1] if described else "")
    }


def _plain(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        return value
