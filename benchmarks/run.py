"""One run of one consumer: fill its queue, start it, wait until it has handled all, stop it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import evolve, frozen

from benchmarks import messages
from benchmarks.broker import Harness, Load
from benchmarks.contest import CONTESTANTS, Contestant, Start, environment
from benchmarks.probe import Ticks, counted

_STALL = 30.0  # seconds without a message before a run is given up
_SETTLE = 0.3  # seconds between the last confirm and the consumer's start
MIB = 1024 * 1024


class NotMeasuredError(Exception):
    """A consumer could not be measured; the message says why."""


@frozen
class Result:
    """What one run gave: messages a second, and microseconds of client CPU per message (one process)."""

    rate: float
    cpu: float | None = None


class Bench:
    """Runs consumers on one broker."""

    def __init__(self, port: int, elsewhere: str) -> None:
        self._port, self._elsewhere = port, elsewhere
        self._runs = 0

    def measure(self, one: Contestant) -> Result:
        """Run a consumer once.

        Raises
        ------
        NotMeasuredError
            Where it ends or stops before it has handled everything.
        """
        with self._filled(one) as (_, start):
            if one.intake:
                there = Harness(self._port)
                with contextlib.closing(there):
                    return _forwarded(lambda: _spread(there, start, one), start, one)
            if not one.forwards:
                return handled(start, one)
            there = Harness(self._port, self._elsewhere)
            with contextlib.closing(there), there.queue(start.queue, "quorum"):
                return _forwarded(lambda: there.depth(start.queue), start, one)

    def memory(self, factor: float = 1.0) -> dict[str, float]:
        """Measure PACER's worker: MiB after few and many messages, and the cost of one of 1 MiB."""
        pacer = CONTESTANTS["pacer"]
        few, many = int(10_000 * factor), int(100_000 * factor)
        one = evolve(pacer, expects=many + 1000)
        with self._empty(one) as (harness, start), started(start, one) as process:
            sizes = []
            for before, after in ((0, few), (few, many)):
                harness.fill(start.queue, Load(one.load(start.queue).bodies, after - before))
                await_count(start.folder, after, process)
                time.sleep(0.5)
                sizes.append(_resident(start.folder, "VmRSS"))
            costs = []
            for number in range(1, 4):
                _forget_peak(start.folder)
                at_rest = _resident(start.folder, "VmRSS")
                harness.fill(start.queue, Load([messages.as_json(size=MIB)], 1))
                await_count(start.folder, many + number, process)
                time.sleep(0.5)
                costs.append(_resident(start.folder, "VmHWM") - at_rest)
        return {"few": sizes[0], "many": sizes[1], "mib": statistics.median(costs)}

    @contextlib.contextmanager
    def _empty(self, one: Contestant) -> Iterator[tuple[Harness, Start]]:
        self._runs += 1
        name = f"bench-{self._runs}"
        harness = Harness(self._port)
        folder = Path(tempfile.mkdtemp(prefix="pacer-bench-"))
        try:
            with harness.queue(name, one.queue, one.partitions):
                yield harness, Start(self._port, name, self._elsewhere, folder)
        finally:
            harness.close()
            shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def _filled(self, one: Contestant) -> Iterator[tuple[Harness, Start]]:
        with self._empty(one) as (harness, start):
            harness.fill(start.queue, one.load(start.queue))
            time.sleep(_SETTLE)
            yield harness, start


@contextlib.contextmanager
def started(start: Start, one: Contestant) -> Iterator[subprocess.Popen[bytes]]:
    """Run a consumer's processes while inside."""
    command = one.command(start, one)
    with (start.folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            env=environment(start, one),
            cwd=start.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def await_count(folder: Path, total: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a consumer has noted so many messages."""
    seen, since = 0, time.monotonic()
    while (now := counted(folder)) < total:
        if now > seen:
            seen, since = now, time.monotonic()
        _still_there(folder, process, since, f"{now} of {total}")
        time.sleep(0.05)


def _still_there(folder: Path, process: subprocess.Popen[bytes], since: float, how_far: str) -> None:
    ended = process.poll()
    if ended is None and time.monotonic() - since < _STALL:
        return
    said = (folder / "log").read_text(errors="replace").strip()
    what = f"stopped at {how_far}" if ended is None else f"ended with {ended} at {how_far}"
    raise NotMeasuredError(f"{what} messages{': ' if said else ''}{said[-600:]}")


def handled(start: Start, one: Contestant) -> Result:
    """Measure in the processes that handle the messages."""
    with started(start, one) as process:
        total = one.warm_up + one.expects
        await_count(start.folder, total, process)
        time.sleep(0.05)  # the last message's own notes
        ticks = [Ticks(path) for path in start.folder.glob("*.ticks")]
        if len(ticks) == 1:
            times, (first, last) = ticks[0].times, ticks[0].cpu
            rate = one.expects / (times[total - 1] - times[one.warm_up - 1])
            return Result(rate, (last - first) / one.expects * 1e6)
        return Result(_together([one.times for one in ticks]))


def _spread(there: Harness, start: Start, one: Contestant) -> int:
    """Give how many messages are in the partitions."""
    queues = [f"{start.queue}.keys.{number + 1}" for number in range(one.partitions)]
    return sum(there.depth(queue, missing=True) for queue in queues)


def _forwarded(depth_there: Callable[[], int], start: Start, one: Contestant) -> Result:
    """Measure at the other end: how fast what is there grows, as its broker counts it."""
    total = one.warm_up + one.expects
    first: tuple[int, float] | None = None
    with started(start, one) as process:
        seen, since = 0, time.monotonic()
        while True:
            depth, now = depth_there(), time.monotonic()
            if first is None and depth >= one.warm_up:
                first = depth, now
            if first is not None and depth >= total:
                return Result((depth - first[0]) / (now - first[1]))
            if depth > seen:
                seen, since = depth, now
            _still_there(start.folder, process, since, f"{depth} of {total}")
            time.sleep(0.01)


def _together(processes: list[array[float]]) -> float:
    """Give the rate of several processes while all of them were at work."""
    begin, end = max(times[10] for times in processes), min(times[-1] for times in processes)
    if end <= begin:
        raise NotMeasuredError("the processes did not work at the same time: too few messages")
    return sum(sum(begin < at <= end for at in times) for times in processes) / (end - begin)


def _resident(folder: Path, what: str) -> float:
    pid = Ticks(next(folder.glob("*.ticks"))).pid
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(what)) / 1024


def _forget_peak(folder: Path) -> None:
    pid = Ticks(next(folder.glob("*.ticks"))).pid
    Path(f"/proc/{pid}/clear_refs").write_text("5")
