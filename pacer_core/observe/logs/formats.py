"""How a record reads: as a line for people, or as a line of JSON in the Elastic Common Schema."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import orjson

from pacer_core.model.escapes import escaped, escaped_json
from pacer_core.model.secrets import Clean, Redacted, redact, screen
from pacer_core.pipeline.unexpected import label, outline

correlation_id: ContextVar[str | None] = ContextVar("correlation_id", default=None)
"""Of the message that the current thread is busy with; records of any logger carry it."""

ECS = "8.11.0"
"""The version of the Elastic Common Schema that `Ecs` writes."""


MORE = "\t"
"""What the lines of a record after its first one begin with in the plain format."""


def _outline(info: Any) -> str:
    return outline(info[1]).rstrip("\n") if info[1] is not None else ""


def said(record: logging.LogRecord) -> str:
    """Give what a record says, without secrets: of our own, the words stay; what is put in is searched."""
    if record.name.partition(".")[0] != "pacer":
        return redact(record.getMessage())
    if isinstance(record.args, Mapping):
        return screen(str(record.msg) % {name: _shown(value) for name, value in record.args.items()})
    if not record.args:
        return screen(record.getMessage())
    return screen(str(record.msg) % tuple(_shown(value) for value in record.args))


def _shown(value: object) -> object:
    return value if value is None or isinstance(value, int | float | Clean) else Redacted(value)


def _message_of(record: logging.LogRecord) -> str | None:
    """Give the correlation id of the message that a record is about: its own, or the thread's."""
    return getattr(record, "correlation_id", None) or correlation_id.get()


class Plain(logging.Formatter):
    """``2026-03-14 09:26:53,589 WARNING 4711 pacer.settle: text [correlation id]``."""

    def __init__(self, *, full: bool = False) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(process)d %(name)s: %(message)s")
        self._full = full

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Give a traceback: what its exceptions say is left out, unless the format is ``full``."""
        return redact(super().formatException(ei) if self._full else _outline(ei))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Give the line without a traceback."""
        text = super().formatMessage(record)
        message = _message_of(record)
        return f"{text} [{redact(message)}]" if message else text

    def format(self, record: logging.LogRecord) -> str:
        """Give the text of a record: one line, and those of its traceback below, each behind a `MORE`.

        Whoever has written what is in it begins no line, and so no other record, and controls no terminal.
        """
        ours = copy.copy(record)  # other handlers get it as it is
        ours.message = said(record)
        ours.asctime = self.formatTime(ours)
        below = []
        if record.exc_info:
            below.append(self.formatException(record.exc_info))
        if record.stack_info:
            below.append(self.formatStack(redact(record.stack_info)))
        first = escaped(screen(self.formatMessage(ours)))
        return "".join([first, *(_below(screen(text)) for text in below if text)])


def _below(text: str) -> str:
    return "".join([f"\n{MORE}{escaped(line)}" for line in text.rstrip("\n").split("\n")])


class Ecs(logging.Formatter):
    """One JSON object a line, with the fields of the Elastic Common Schema; see `escaped_json`.

    The correlation id is ``labels.correlation_id``; where a record tells what became of a message, the other
    labels are its identifiers, and ``event`` has outcome and duration. Exceptions are ``error.type``,
    ``error.message`` and ``error.stack_trace``.
    """

    def __init__(self, *, full: bool = False) -> None:
        super().__init__()
        self._full = full
        self._service = {"name": "pacer", "version": version("pacer-core")}

    def format(self, record: logging.LogRecord) -> str:
        """Give a record as one line of JSON."""
        fields: dict[str, Any] = {
            "@timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "log.level": record.levelname.lower(),
            "message": said(record),
            "ecs.version": ECS,
            "log": {
                "logger": record.name,
                "origin": {
                    "file": {"name": record.filename, "line": record.lineno},
                    "function": record.funcName,
                },
            },
            "process": {
                "pid": record.process,
                "name": record.processName,
                "thread": {"name": redact(record.threadName or "")},
            },
            "service": self._service,
        }
        labels = {name: redact(str(value)) for name, value in getattr(record, "labels", {}).items()}
        if message := _message_of(record):
            labels["correlation_id"] = redact(message)
        if labels:
            fields["labels"] = labels
        if event := getattr(record, "event", None):
            fields["event"] = event
        if record.exc_info and record.exc_info[0] is not None:
            kind, error, _ = record.exc_info
            trace = self.formatException(record.exc_info) if self._full else _outline(record.exc_info)
            fields["error"] = {
                "type": kind.__qualname__,
                "message": redact(str(error) if self._full or error is None else label(error)),
                "stack_trace": redact(trace),
            }
        try:
            text = orjson.dumps(fields).decode()
        except TypeError:  # half a character, as a file name may have it, is no Unicode
            text = orjson.dumps(_whole(fields)).decode()
        return escaped_json(text)


def _whole(data: Any) -> Any:
    if isinstance(data, dict):
        return {_whole(key): _whole(value) for key, value in data.items()}
    return data.encode("utf-8", "backslashreplace").decode() if isinstance(data, str) else data
