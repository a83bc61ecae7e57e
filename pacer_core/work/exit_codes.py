"""With what code a worker ends that nobody has asked to end."""

from __future__ import annotations

import logging
import os

log = logging.getLogger("pacer.worker")

EX_STUCK = 75
"""The exit code of a worker that wants to be replaced: a task does not end, or finds no memory."""
EX_HUNG = 70
"""The exit code of a worker that hangs in a parser, or its only thread in a task: a crash of that message."""


def end_damaged() -> None:
    """End this process, whose descriptors somebody has closed; it counts as a crash."""
    log.critical("a task has closed descriptors that are not its own; the process ends")
    os._exit(EX_HUNG)
