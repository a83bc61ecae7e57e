"""SIGTERM and SIGINT ask a process to finish what it is doing, SIGHUP to read its configuration again."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from types import FrameType

from attrs import define


@contextlib.contextmanager
def signals(stop: Callable[[str], object], reload: Callable[[], object] | None = None) -> Iterator[None]:
    """Call ``stop`` with the name of the signal on SIGTERM and SIGINT while inside.

    SIGHUP calls ``reload``, and ``stop`` where there is none, or where standard input is a terminal: it has
    gone then. Under ``nohup`` it stays ignored.

    A handler interrupts its thread anywhere, holding any lock: ``stop`` may set an attribute and write to a
    pipe. It may neither log nor set an event: both take locks.
    """
    on_hang_up = None if os.isatty(0) else reload

    def handle(number: int, _: FrameType | None) -> None:
        if number == signal.SIGHUP and on_hang_up is not None:
            on_hang_up()
        else:
            stop(signal.Signals(number).name)

    numbers = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def deaf() -> None:
    """Ignore them all from now on: this process is about to end anyhow."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


@define
class Stopped:
    """Remembers that somebody asked to stop, who, and with which exit code the process is to end."""

    by: str = ""
    code: int = 0

    def stop(self, by: str, code: int = 0) -> None:
        """Take note; a signal handler may call this."""
        self.by = self.by or by
        self.code = code or self.code

    def __bool__(self) -> bool:
        return bool(self.by)
