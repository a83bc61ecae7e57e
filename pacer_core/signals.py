"""SIGTERM and SIGINT: what asks a process to finish what it is doing."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType

from attrs import define


@contextlib.contextmanager
def signals(stop: Callable[[str], object]) -> Iterator[None]:
    """Call ``stop`` with the name of the signal on SIGTERM and SIGINT while inside.

    A handler interrupts its thread anywhere, holding any lock: ``stop`` may set an attribute and write to a
    pipe. It may neither log nor set an event: both take locks.
    """

    def handle(number: int, _: FrameType | None) -> None:
        stop(signal.Signals(number).name)

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@define
class Stopped:
    """Remembers that somebody asked to stop, and who."""

    by: str = ""

    def stop(self, by: str) -> None:
        """Take note; a signal handler may call this."""
        self.by = self.by or by

    def __bool__(self) -> bool:
        return bool(self.by)
