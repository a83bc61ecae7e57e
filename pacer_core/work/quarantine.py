"""Messages that have been in crashes, handled while nothing else is."""

from __future__ import annotations

import threading


class Quarantine:
    """Lets suspects run alone: many ordinary messages at a time, or one suspect."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._inside = 0
        self._alone = False

    def enter(self, *, alone: bool) -> None:
        """Wait for one's turn, and hold it until `leave`; a suspect that waits keeps newcomers out."""
        with self._lock:
            while self._alone:
                self._changed.wait()
            if alone:
                self._alone = True
                while self._inside:
                    self._changed.wait()
            else:
                self._inside += 1

    def leave(self, *, alone: bool) -> None:
        """Let the next one have its turn."""
        with self._lock:
            if not alone:
                self._inside -= 1
            if self._alone:  # or nobody waits
                self._alone = not alone
                self._changed.notify_all()
