"""How long keys wait whose supervisor is killed.

Two supervisors share four partitions, and messages of all of them keep coming. The one that works is killed
by SIGKILL, its workers not: they see that it is gone. What counts is the time until each of its partitions
has had a message handled elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import messages
from benchmarks.broker import Harness, Load
from benchmarks.contest import CONTESTANTS, Start, configuration, environment, install_plugin
from benchmarks.probe import Ticks
from tests.services import RabbitMQ
from tests.services.base import wait_until

TIMES, PARTITIONS, KEYS = 10, 4, 40


def take_over(node: RabbitMQ, times: int = TIMES) -> float:
    """Give the seconds that a take-over takes, the median of some."""
    one = CONTESTANTS["pacer-partitions4"].scaled(5.0)
    with tempfile.TemporaryDirectory(prefix="pacer-take-over-") as folder:
        start = Start(node.port, "take-over", "/", Path(folder))
        install_plugin(start.folder)
        file = start.folder / "pacer.yaml"
        file.write_text(configuration(start, one))
        harness = Harness(node.port)
        with harness.queue(start.queue, "quorum", PARTITIONS), publishing(node.port, start.queue):
            command = [str(Path(sys.executable).with_name("pacer")), "run", "--config", str(file)]
            env = environment(start, one)
            both = [subprocess.Popen(command, env=env, cwd=folder) for _ in range(2)]
            seconds = []
            try:
                for _ in range(times):
                    seconds.append(_time(start.folder, both))
                    dead = next(number for number, process in enumerate(both) if process.poll() is not None)
                    both[dead] = subprocess.Popen(command, env=env, cwd=folder)
            finally:
                for process in both:
                    process.terminate()
                for process in both:
                    process.wait(60)
        harness.close()
    return statistics.median(seconds)


@contextlib.contextmanager
def publishing(port: int, queue: str) -> Iterator[None]:
    """Publish a message of each key in turn, forty a second, as long as inside."""
    ended = threading.Event()
    bodies = [messages.as_json(f"HC-{number}") for number in range(KEYS)]

    def publish() -> None:
        harness = Harness(port)
        while not ended.wait(1.0):
            harness.fill(queue, Load(bodies, KEYS))
        harness.close()

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _time(folder: Path, both: list[subprocess.Popen[bytes]]) -> float:
    """Kill who works, and give the seconds until the other one has worked on all that it had."""
    since = time.monotonic()
    wait_until(
        lambda: len(_workers(folder, both, since)) == PARTITIONS, seconds=120, what="all partitions work"
    )
    time.sleep(5.0)  # the other one stands by, too
    now = time.monotonic() - 2.5
    had = _workers(folder, both, now)
    victim = max(both, key=lambda process: sum(parent == process.pid for parent in had.values()))
    others = {pid for pid, parent in had.items() if parent != victim.pid}
    killed = time.monotonic()
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    moved = len(had) - len(others)

    def taken_over() -> list[float]:
        new = [
            min((at for at in ticks.times if at > killed), default=0.0)
            for ticks in _notes(folder)
            if ticks.pid not in had
        ]
        return [at for at in new if at]

    wait_until(lambda: len(taken_over()) >= moved, seconds=120, what="the other one takes over")
    return max(taken_over()) - killed


def _notes(folder: Path) -> Iterator[Ticks]:
    for path in folder.glob("*.ticks"):
        with contextlib.suppress(IndexError):  # it is being made
            yield Ticks(path)


def _workers(folder: Path, both: list[subprocess.Popen[bytes]], since: float) -> dict[int, int]:
    """Give the processes that have handled a message since then, with their supervisors."""
    ours = {process.pid for process in both}
    found = {}
    for ticks in _notes(folder):
        if ticks.times and ticks.times[-1] > since and (parent := _parent(ticks.pid)) in ours:
            found[ticks.pid] = parent
    return found


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
