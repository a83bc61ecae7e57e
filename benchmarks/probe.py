"""What every measured consumer does with a message: wait where asked, and note the time.

The notes of a process are an array of doubles in ``PID.ticks`` below ``BENCH_FOLDER``: how many messages,
the CPU seconds that the process had used at message ``BENCH_WARM_UP`` and at message ``BENCH_MESSAGES``, and
the monotonic time of each message. A note costs about half a microsecond, the same for all.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import resource
import threading
import time
from array import array
from pathlib import Path

HEADER = 3
SETTING = {
    name: os.environ.get(f"BENCH_{name.upper()}", "")
    for name in ("url", "queue", "target", "folder", "warm_up", "messages", "wait", "prefetch", "threads")
}
_WAIT = float(SETTING["wait"] or 0)
_lock = threading.Lock()


class _Notes:
    """The file of this process; opened at its first message, so after every fork."""

    def __init__(self) -> None:
        self.warm_up, self.messages = int(SETTING["warm_up"]), int(SETTING["messages"])
        path = Path(SETTING["folder"]) / f"{os.getpid()}.ticks"
        path.write_bytes(bytes(8 * (HEADER + self.messages)))
        with path.open("r+b") as file:
            self.slots = memoryview(mmap.mmap(file.fileno(), 0)).cast("d")
        self.count = 0

    def tick(self) -> None:
        if self.count == self.messages:
            return  # a message that came twice
        slots = self.slots
        slots[HEADER + self.count] = time.monotonic()
        self.count += 1
        slots[0] = self.count
        if self.count == self.warm_up:
            slots[1] = _cpu()
        elif self.count == self.messages:
            slots[2] = _cpu()


_notes: _Notes | None = None


def tick() -> None:
    """Note that a message has been handled; from any thread."""
    global _notes
    with _lock:
        if _notes is None:
            _notes = _Notes()
        _notes.tick()


def work() -> None:
    """Wait as long as the benchmark asks for, and note the message."""
    if _WAIT:
        time.sleep(_WAIT)
    tick()


async def work_async() -> None:
    """Do the same without holding the thread."""
    if _WAIT:
        await asyncio.sleep(_WAIT)
    tick()


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class Ticks:
    """The notes of one process, read from outside."""

    def __init__(self, path: Path) -> None:
        self.pid = int(path.stem)
        values = array("d")
        values.frombytes(path.read_bytes())
        count = int(values[0])
        self.cpu = (values[1], values[2])
        self.times = values[HEADER : HEADER + count]


def counted(folder: Path) -> int:
    """Give how many messages all processes have noted so far."""
    total = 0
    for path in folder.glob("*.ticks"):
        head = array("d")
        with path.open("rb") as file:
            head.frombytes(file.read(8).ljust(8, b"\0"))
        total += int(head[0])
    return total
