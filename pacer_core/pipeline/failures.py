"""What a task raised, as it travels: in one line, without secrets, and short enough for a header."""

from __future__ import annotations

import logging

from pacer_core.model.errors import AwayError, BadField, NotYet, Reject, Retry
from pacer_core.model.messages import TaskFailure
from pacer_core.model.secrets import redact
from pacer_core.pipeline.unexpected import label, outline

log = logging.getLogger("pacer.pipeline")

TRACE_LIMIT = 4 * 1024
REASON_LIMIT = 2000


def failure_of(task: str, error: BaseException) -> TaskFailure:
    """Say what one task had to say when it did not finish: a signal, or an exception that nobody expected.

    The text of the latter may quote the message: it is logged at DEBUG, and goes nowhere else.
    """
    if isinstance(error, Reject):
        fields = tuple(
            BadField(_one_line(bad.path), _one_line(bad.message))
            if isinstance(bad, BadField)
            else BadField("$", _one_line(bad))
            for bad in error.fields
        )
        return TaskFailure(task, "reject", _one_line(error.reason), fields=fields)
    if isinstance(error, Retry):
        kind = "retry" if error.counted else "away"
        return TaskFailure(task, kind, _reason(error), after=error.after)
    if isinstance(error, AwayError):
        return TaskFailure(task, "away", _reason(error))
    if isinstance(error, NotYet):
        return TaskFailure(task, "not-yet", _reason(error))
    log.debug("%s failed", task, exc_info=error)
    trace = redact(outline(error))
    shortened = trace if len(trace) <= TRACE_LIMIT else f"...{trace[-TRACE_LIMIT:]}"
    return TaskFailure(task, "error", _one_line(label(error)), trace=shortened)


def _reason(error: BaseException) -> str:
    return _one_line(error) or type(error).__name__


def _one_line(thing: object) -> str:
    """Give a text for a log and a header: no secret, no line end, nothing that controls a terminal."""
    try:
        text = redact(str(thing))
    except Exception:
        text = f"{type(thing).__name__} that cannot say what it is"
    words = " ".join(text[: 2 * REASON_LIMIT].split())
    line = "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in words
    )
    return line if len(line) <= REASON_LIMIT else f"{line[: REASON_LIMIT - 3]}..."
