"""Crashes of workers, counted by message: who was in a parser or a task when a process died, and how often.

A worker notes in a small shared file which messages are in its parser or its tasks, or were in these and are
not acknowledged, and until when that may take: a process that is held by a library obeys nobody but the
kernel, and its supervisor ends it. When it dies, its supervisor counts one crash for each, and empties the
notes before anything is started again; the counts are kept in a file that outlives the supervisor. The
broker's own counters prove nothing: every cut connection and orderly stop returns messages as well.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import mmap
import os
import time
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from struct import Struct

from attrs import frozen

from pacer_core.model.messages import Envelope
from pacer_core.model.private_files import make_folder, private

log = logging.getLogger("pacer.crashes")

_MARK = 16  # bytes: a fingerprint
# On the monotonic clock, which is the same for all processes; below 0 in a parser, 0 where it is over.
_UNTIL = Struct("=d")
_SLOT = _MARK + _UNTIL.size
_NOBODY = bytes(_SLOT)
_PARSED = ":parser"  # behind a fingerprint, of those that were in the parser
_SLOTS = 1024
_ID = 16  # bytes of a number that is like no other
_LEAVING = 2 * _ID  # the byte that says so
_HEAD = 64
_SIZE = _HEAD + _SLOT * _SLOTS
_KEPT = 7 * 86400.0  # seconds after which a count is forgotten
ALONE = 2
"""Crashes after which a message is run with nothing else inside a task."""


def fingerprint(envelope: Envelope) -> bytes:
    """Give what a message is recognised by when it comes back: digests of its body and its queue."""
    return sha256(envelope.body).digest()[: _MARK // 2] + _of_queue(envelope.queue)


@cache
def _of_queue(name: str) -> bytes:
    return sha256(name.encode()).digest()[: _MARK // 2]


class Notes:
    """Which messages a worker may be killed by, written so that it survives the process.

    The file begins with a number of this process's, by which notes that are read twice are counted once, and
    with the number of this boot: a host that fails is no fault of a message.
    """

    def __init__(self, path: Path) -> None:
        allocate(path)
        file = private(path, os.O_RDWR)  # stays open: who holds its lock is alive
        with contextlib.suppress(OSError):  # a file system without locks: only leftovers are told apart by it
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._map = mmap.mmap(file, _SIZE)
        self._map[:] = (os.urandom(_ID) + _boot()).ljust(_SIZE, b"\0")
        self._free = list(range(_SLOTS))  # its pop and append are atomic

    def enter(self, mark: bytes, seconds: float, *, parser: bool = False) -> int | None:
        """Note the `fingerprint` of a message that goes into a parser or a task, which may take so long.

        Give the slot to `stays` when that is over, and to `leave` when the message is acknowledged.
        """
        try:
            slot = self._free.pop()
        except IndexError:
            return None  # more than anybody configures, and it costs only a crash's count
        start, until = _HEAD + slot * _SLOT, time.monotonic() + seconds
        self._map[start : start + _SLOT] = mark + _UNTIL.pack(-until if parser else until)
        return slot

    def stays(self, slot: int | None) -> None:
        """Note that what the message of a slot went into is over; the message is still to be acknowledged."""
        if slot is not None:
            _UNTIL.pack_into(self._map, _HEAD + slot * _SLOT + _MARK, 0.0)

    def leave(self, slot: int | None) -> None:
        """Forget the message of a slot."""
        if slot is not None:
            start = _HEAD + slot * _SLOT
            self._map[start : start + _SLOT] = _NOBODY
            self._free.append(slot)

    @property
    def empty(self) -> bool:
        """Whether no message is noted."""
        return len(self._free) == _SLOTS

    def wait_for_others(self, seconds: float) -> None:
        """Wait until no message is noted, for so long at most."""
        deadline = time.monotonic() + seconds
        while not self.empty and time.monotonic() < deadline:
            time.sleep(0.002)

    def stopping(self) -> None:
        """Note that this process is on its way out; a signal handler may call this."""
        self._map[_LEAVING] = 1


def allocate(path: Path) -> None:
    """Make the file of a worker's notes, with room on the disk for all of it.

    In a sparse file, a disk that is full later would end the worker with SIGBUS.

    Raises
    ------
    OSError
        Where there is no room.
    """
    make_folder(path.parent)
    if path.exists() and path.stat().st_size == _SIZE:
        return
    with open(path, "wb", buffering=0, opener=private) as file:
        try:
            os.posix_fallocate(file.fileno(), 0, _SIZE)
        except OSError:  # not every file system can; one that is full says so again
            file.truncate(0)
            file.write(bytes(_SIZE))


def leaving(path: Path) -> bool:
    """Say whether the worker that writes these notes is on its way out."""
    try:
        return bool(_read(path)[_LEAVING])
    except OSError:  # look again, another time
        return False


def late(path: Path) -> bool:
    """Say whether the worker that writes these notes is in a parser or a task for longer than it may."""
    try:
        data = _read(path)
    except OSError:
        return False
    now = time.monotonic()
    ends = (_UNTIL.unpack_from(data, start + _MARK)[0] for start in range(_HEAD, _SIZE, _SLOT))
    return any(0.0 < abs(end) < now for end in ends)


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        data = b""
    return data if len(data) == _SIZE else bytes(_SIZE)


@cache
def _boot() -> bytes:
    try:
        return sha256(Path("/proc/sys/kernel/random/boot_id").read_bytes()).digest()[:_ID]
    except OSError:
        return bytes(_ID)


def _in_use(path: Path) -> bool:
    """Say whether the worker that writes these notes is alive, where the file system can tell."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


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

    def in_parser(self, envelope: Envelope) -> bool:
        """Say whether a message was in the parser in one of them; ask `of` first, which reads what is new."""
        return bool(self._counts) and fingerprint(envelope).hex() + _PARSED in self._counts

    def take(self, notes: Path) -> None:
        """Count one crash for each message in the notes of a worker that has died, and empty them.

        The counts are on the disk before the notes are empty, and say which notes they are from: whatever
        ends this process in between, each death is counted once.

        Raises
        ------
        OSError
            Where it cannot be written: call again before that worker is started.
        """
        data = _read(notes)
        names: list[str] = []
        for start in range(_HEAD, _SIZE, _SLOT):
            mark = data[start : start + _MARK]
            if any(mark):
                names.append(mark.hex())
                if _UNTIL.unpack_from(data, start + _MARK)[0] < 0.0:
                    names.append(mark.hex() + _PARSED)
        if names:
            self._add(f"notes:{data[:_ID].hex()}", names)
        empty(notes)

    def take_leftover(self, notes: Path) -> None:
        """Do the same with notes of an earlier supervisor's worker.

        Those of a worker that was told to end, or went down with its host, prove nothing; one that is alive
        still goes on with a file that nobody else finds any more.
        """
        if _in_use(notes):
            notes.unlink(missing_ok=True)
            return
        data = _read(notes)
        if data[_LEAVING] or data[_ID : 2 * _ID] != _boot():
            empty(notes)
        else:
            self.take(notes)

    def _add(self, read: str, fingerprints: Iterable[str]) -> None:
        """Count one crash for each message, and write the file whole and at once."""
        make_folder(self._path.parent)
        with _locked(self._path.with_suffix(".lock")):  # another supervisor may count in the same file
            self._read_again()
            if read in self._counts:
                return
            now = time.time()
            counts = {name: one for name, one in self._counts.items() if now - one[1] < _KEPT}
            counts[read] = (1, now)
            for name in fingerprints:
                counts[name] = (counts.get(name, (0, 0.0))[0] + 1, now)
            new = self._path.with_suffix(f".{os.getpid()}.new")
            try:
                with open(new, "w", opener=private) as file:
                    json.dump(counts, file)
                    file.flush()
                    os.fsync(file.fileno())
                new.replace(self._path)
            except OSError:
                with contextlib.suppress(OSError):
                    new.unlink()
                raise

    def _refresh(self) -> None:
        try:
            self._read_again()
        except OSError as error:  # what was read before is better than nothing
            log.warning("%s cannot be read (%s); the crashes that were read before count", self._path, error)

    def _read_again(self) -> None:
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            self._counts, self._read_at = {}, None
            return
        version = (stat.st_ino, stat.st_mtime_ns)
        if version == self._read_at:
            return
        text = self._path.read_text(errors="replace")
        try:
            self._counts = {str(name): (int(one[0]), float(one[1])) for name, one in json.loads(text).items()}
        except (ValueError, TypeError, LookupError, AttributeError):
            log.exception("%s cannot be read; crashes are counted from nought", self._path)
            self._counts = {}
        self._read_at = version


def empty(notes: Path) -> None:
    """Forget what is in the notes of a worker that has ended; the file keeps its room."""
    if notes.exists():
        with open(notes, "r+b", buffering=0, opener=private) as file:
            file.write(bytes(_SIZE))


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with open(path, "ab", opener=private) as file:
        with contextlib.suppress(OSError):  # NFS without locks: one supervisor is the rule
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@frozen
class CrashFiles:
    """Where a worker notes what it works on and counts what it did, and finds what was in a crash."""

    notes: Path
    counts: Path
    board: Path
