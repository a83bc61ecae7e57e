"""Crashes of workers, counted by message: who was inside a task when a process died, and how often.

A worker notes in a small shared file which messages are inside a task. When it dies, its supervisor reads
the notes and counts one crash for each; the counts are kept in a file that outlives the supervisor. The
broker's own counters prove nothing: every cut connection and orderly stop returns messages as well.
"""

from __future__ import annotations

import json
import logging
import mmap
import os
import threading
import time
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from pathlib import Path

from pacer_core.messages import Envelope

log = logging.getLogger("pacer.crashes")

_SLOT = 16  # bytes: a fingerprint
_NOBODY = bytes(_SLOT)
_SLOTS = 256
_KEPT = 7 * 86400.0  # seconds after which a count is forgotten
ALONE = 2
"""Crashes after which a message is run with nothing else inside a task."""


def fingerprint(envelope: Envelope) -> bytes:
    """Give what a message is recognised by when it comes back: digests of its body and its queue."""
    return sha256(envelope.body).digest()[: _SLOT // 2] + _of_queue(envelope.queue)


@cache
def _of_queue(name: str) -> bytes:
    return sha256(name.encode()).digest()[: _SLOT // 2]


class Notes:
    """Which messages are inside a task, written so that they survive the process."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w+b") as file:
            file.truncate(_SLOT * _SLOTS)
            self._map = mmap.mmap(file.fileno(), _SLOT * _SLOTS)
        self._free = list(range(_SLOTS))  # its pop and append are atomic

    def enter(self, envelope: Envelope) -> int | None:
        """Note a message that goes into a task; give the slot to `leave` afterwards."""
        try:
            slot = self._free.pop()
        except IndexError:
            return None  # more threads than slots: nobody configures that, and it costs only a crash's count
        start = slot * _SLOT
        self._map[start : start + _SLOT] = fingerprint(envelope)
        return slot

    def leave(self, slot: int | None) -> None:
        """Forget the message of a slot."""
        if slot is not None:
            start = slot * _SLOT
            self._map[start : start + _SLOT] = _NOBODY
            self._free.append(slot)


def read_notes(path: Path) -> list[str]:
    """Give the fingerprints that a dead worker left behind."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    slots = (data[start : start + _SLOT] for start in range(0, len(data), _SLOT))
    return [slot.hex() for slot in slots if slot.strip(b"\0")]


class Counts:
    """How many crashes each message has been in; written by the supervisor, read by its workers."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at: tuple[int, int] | None = None
        self._counts: dict[str, tuple[int, float]] = {}

    def of(self, envelope: Envelope) -> int:
        """Give the count of a message; only one that was delivered before can have any."""
        if not envelope.redelivered:
            return 0
        self._refresh()
        return self._counts.get(fingerprint(envelope).hex(), (0, 0.0))[0]

    def add(self, fingerprints: Iterable[str]) -> None:
        """Count one crash for each message, and write the file whole and at once."""
        self._refresh()
        now = time.time()
        counts = {name: one for name, one in self._counts.items() if now - one[1] < _KEPT}
        for name in fingerprints:
            counts[name] = (counts.get(name, (0, 0.0))[0] + 1, now)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        with new.open("w") as file:
            json.dump(counts, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)

    def _refresh(self) -> None:
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            self._counts = {}
            return
        version = (stat.st_ino, stat.st_mtime_ns)
        if version == self._read_at:
            return
        try:
            data = json.loads(self._path.read_text())
            self._counts = {str(name): (int(one[0]), float(one[1])) for name, one in data.items()}
        except (ValueError, TypeError, LookupError, OSError):
            log.exception("%s cannot be read; crashes are counted from nought", self._path)
            self._counts = {}
        self._read_at = version


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
