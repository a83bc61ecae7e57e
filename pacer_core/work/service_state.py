"""What a running service and its health see: whether it is to end, and in what state it is."""

from __future__ import annotations

import contextlib
import math
import select
import threading
from collections.abc import Iterator

from pacer_core.model.secrets import screen
from pacer_core.observe.board import Board
from pacer_core.observe.metrics import State
from pacer_core.transport.consume import Waker
from pacer_core.work.os_signals import Stopped


class StopFlag:
    """What the service sees as ``stopping``. A signal handler sets it, and so it takes no lock."""

    def __init__(self) -> None:
        self._stopped, self._waker = Stopped(), Waker()

    @property
    def by(self) -> str:
        """What has told it to."""
        return self._stopped.by

    def stop(self, by: str) -> None:
        """Set it."""
        self._stopped.stop(by)
        self._waker.wake()

    def is_set(self) -> bool:
        """Say whether the service is to end."""
        return bool(self._stopped)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, or so many seconds are over; say whether it is."""
        poll = select.poll()
        poll.register(self._waker.fileno(), select.POLLIN)
        if not self._stopped:
            poll.poll(None if timeout is None else math.ceil(max(timeout, 0.0) * 1000))
        return self.is_set()


class Shown:
    """How the service is, in the words of health; safe to use from several threads."""

    def __init__(self, board: Board, stopping: StopFlag) -> None:
        self._board, self._stopping = board, stopping
        self._lock = threading.Lock()
        self._ready, self._trouble = False, ""
        self._waits: dict[int, tuple[State, str]] = {}

    def ready(self) -> None:
        """Say that the service does its work."""
        with self._lock:
            self._ready = True
        self.show()

    def trouble(self, text: str) -> None:
        """Say what keeps it from its work; with no text, nothing does any more."""
        with self._lock:
            self._trouble = screen(text)
        self.show()

    def ended(self, why: str) -> None:
        """Say why the process ends: health shows it until there is another one."""
        self._board.state(State.STOPPING, why)

    @contextlib.contextmanager
    def waiting(self) -> Iterator[Waiting]:
        """Be in the state of waiting for the broker where `Waiting.say` says so, until the end."""
        waiting = Waiting(self)
        try:
            yield waiting
        finally:
            self.note(waiting, None)

    def note(self, who: object, what: tuple[State, str] | None) -> None:
        """Note that one of its threads waits, or waits no more."""
        with self._lock:
            before = self._waits.pop(id(who), None)
            if what is not None:
                self._waits[id(who)] = what
        if before != what:
            self.show()

    def show(self) -> None:
        """Show how it is now."""
        with self._lock:
            state, text = (State.RUNNING if self._ready else State.STARTING), ""
            if self._trouble:
                state, text = State.HINDERED, self._trouble
            for waits in self._waits.values():
                state, text = waits
            if self._stopping.is_set():
                state = State.STOPPING
            self._board.state(state, text)


class Waiting:
    """Somebody who may have to wait."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown

    def say(self, state: State, text: str) -> None:
        """Wait in this state, for this reason."""
        self._shown.note(self, (state, text))
