"""What a task would do, said beforehand: `pacer plan` asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from attrs import frozen

from pacer_core.model.messages import Context

Change = Literal["new", "changed", "removed", "there", "kept", "left-out"]
WRITES: frozenset[str] = frozenset({"new", "changed", "removed"})
"""The changes for which something is written."""


@frozen
class Planned:
    """One thing that a task would do at its end, or would not have to.

    Attributes
    ----------
    what
        What it is about, in the end's own words: ``dataset 'run-7'``.
    change
        ``new``, ``changed`` or ``removed`` where the task would write; ``there`` where nothing would have to
        be written; ``kept`` where the end has another value than the message, and keeps it; ``left-out``
        where the message has it and the task would not write it.
    detail
        What else there is to say: ``4 files, 2 parameters``.
    """

    what: str
    change: Change
    detail: str = ""


PlanFunction = Callable[[Any, Context], Iterable[Planned]]
"""Says of a message what a task would do. It reads, and writes nothing anywhere."""
