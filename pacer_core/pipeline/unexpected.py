"""Exceptions that nobody expected, without what they quote: type and place, never the text.

The text of an exception may hold what was in a message (``invalid literal for int(): 'Ada Lovelace'``), and
so personal data. Those of PACER's own exceptions are written for operators, by authors who are told so; the
operating system's words for an error number hold none.
"""

from __future__ import annotations

import os
import traceback

from pacer_core.model.errors import PacerError

_LONGEST_CHAIN = 10
_CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n\n"


def label(error: BaseException) -> str:
    """Give an exception in a line: its type, its place, and its text where that may be shown."""
    name = type(error).__qualname__
    if isinstance(error, PacerError):
        return f"{name}: {_text(error)}"
    if isinstance(error, BaseExceptionGroup):
        name += f" ({', '.join(type(one).__qualname__ for one in error.exceptions)})"
    elif isinstance(error, OSError) and error.errno is not None:
        name += f" ({os.strerror(error.errno)})"
    where = _place(error)
    return f"{name} at {where}" if where else name


def outline(error: BaseException) -> str:
    """Give the traceback of an exception and of those that led to it, each as its `label`."""
    parts: list[str] = []
    link, seen, at = "", set[int](), error
    while True:
        frames = traceback.StackSummary.extract(traceback.walk_tb(at.__traceback__))
        head = "Traceback (most recent call last):\n" if frames else ""
        parts.insert(0, f"{head}{''.join(frames.format())}{label(at)}\n{link}")
        seen.add(id(at))
        earlier = at.__cause__
        if earlier is None and not at.__suppress_context__:
            earlier = at.__context__
        if earlier is None or id(earlier) in seen or len(seen) >= _LONGEST_CHAIN:
            return "".join(parts)
        link = _CAUSE if at.__cause__ is not None else _CONTEXT
        at = earlier


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "cannot say what it is"


def _place(error: BaseException) -> str:
    """Say where an exception was raised: ``module:line``."""
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        place = f"{frame.f_globals.get('__name__', '?')}:{line}"
    return place
