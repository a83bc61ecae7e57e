"""The workers of a supervisor, with what each of them counts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from attrs import evolve, frozen

from pacer_core.observe.metrics import Snapshot, State

BEAT = 30.0
"""Seconds without a sign of life of the supervisor's loop, after which it counts as hanging."""


@frozen
class Seen:
    """One worker as its supervisor sees it.

    ``snapshot`` is what it has counted, ``None`` before it has begun; what it says about the present is true
    only while the worker is ``up``.
    """

    name: str
    pid: int | None = None
    starts: int = 0
    crashes: int = 0
    snapshot: Snapshot | None = None
    note: str = ""
    """What its supervisor has to say about it, where it cannot be tended."""
    kind: str = "worker"
    """A ``worker`` or a ``service``."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name.removeprefix(f'{self.kind}:')}"

    @property
    def up(self) -> bool:
        """Whether its process is alive."""
        return self.pid is not None

    @property
    def state(self) -> str:
        """What it is doing, in one word."""
        if not self.up:
            return "down"
        state = State.STARTING if self.snapshot is None else self.snapshot.state
        return state.name.lower().replace("_", "-")

    @property
    def trouble(self) -> str:
        """Why it cannot do what it is there for, or ``""``."""
        if self.note:
            return self.note
        if self.snapshot is None or not (self.up or self.kind == "service"):
            return ""
        return self.snapshot.trouble  # of a service that has ended: why

    @property
    def ready(self) -> bool:
        """Whether it does what it is there for, or waits for what is not in its hands."""
        return self.state in ("reading", "stand-by", "paused", "running")

    def now(self, name: str, more: str | None = None) -> float:
        """Give one number about the present; 0 where the worker is down."""
        if not self.up or self.snapshot is None:
            return 0.0
        return self.snapshot.numbers[(name,) if more is None else (name, more)]

    def counted(self, *name: str) -> float:
        """Give what it has counted by now, whether it is up or not."""
        return 0.0 if self.snapshot is None else self.snapshot.numbers[name]


class Roster:
    """Kept by the supervisor, read by whoever asks; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._workers: dict[str, Seen] = {}
        self._looks: dict[str, Callable[[], Snapshot | None]] = {}
        self._beat: float | None = None
        self.stopping = False
        """Whether the workers have been told to end."""
        self._advice: dict[str, str] = {}

    def add(self, name: str, look: Callable[[], Snapshot | None], kind: str = "worker") -> None:
        """Take in a worker; ``look`` gives what it has counted."""
        with self._lock:
            self._workers[name], self._looks[name] = Seen(name, kind=kind), look

    def started(self, name: str, pid: int | None) -> None:
        """Say that a worker's process has started."""
        with self._lock:
            seen = self._workers[name]
            self._workers[name] = evolve(seen, pid=pid, starts=seen.starts + 1)

    def ended(self, name: str, *, crashed: bool) -> None:
        """Say that a worker's process has ended."""
        with self._lock:
            seen = self._workers[name]
            self._workers[name] = evolve(seen, pid=None, crashes=seen.crashes + crashed)

    def note(self, name: str, text: str) -> None:
        """Say why a worker cannot be tended; ``""`` once it can."""
        with self._lock:
            self._workers[name] = evolve(self._workers[name], note=text)

    def advise(self, about: str, text: str) -> None:
        """Say what an operator should look at; ``""`` once it is over."""
        with self._lock:
            self._advice.pop(about, None)
            if text:
                self._advice[about] = text

    @property
    def advice(self) -> list[str]:
        """What an operator should look at although everything runs."""
        with self._lock:
            return list(self._advice.values())

    def beat(self) -> None:
        """Give a sign of life; from the first one on, they are expected."""
        self._beat = time.monotonic()

    @property
    def alive(self) -> bool:
        """Whether the supervisor's loop goes round; one that waits for its workers' end does."""
        return self._beat is None or self.stopping or time.monotonic() - self._beat < BEAT

    def workers(self) -> Iterable[Seen]:
        """Give every worker with what it has counted by now."""
        with self._lock:
            workers = list(self._workers.values())
        return [evolve(seen, snapshot=self._looks[seen.name]()) for seen in workers]
