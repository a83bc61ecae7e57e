"""One broker as one process sees it: an SQLite handle, shared by all threads, and its transactions."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from amqp.exceptions import RecoverableConnectionError
from attrs import define, field, frozen

from pacer_core import BrokerError
from pacer_embedded.locks import FileLocks, Locks, NoLocks
from pacer_embedded.schema import prepare
from pacer_embedded.topology import Queue, Topology, load
from pacer_embedded.wakeup import Caller

if TYPE_CHECKING:
    from pacer_embedded.watch import Watch

T = TypeVar("T")

_BUSY_SECONDS = 30.0


@frozen
class Place:
    """Where a broker lives: a file's absolute path, or a name in this process's memory."""

    path: str | None
    name: str = ""

    @property
    def label(self) -> str:
        """What messages call it."""
        return self.path or f"the in-memory broker {self.name!r}"


@define
class Session:
    """One transaction: the handle, the topology, and whom to wake once it is committed."""

    db: sqlite3.Connection
    topology: Topology
    now: int
    calls: set[str] = field(factory=set)
    due: int | None = None

    def wake(self, queue: Queue) -> None:
        """Call the consumers of a queue after the commit."""
        self.calls.update(consumer.address for consumer in queue.consumers)

    def falls_due(self, when: int) -> None:
        """Note that something falls due: a watch must be awake then, of this process or of another one."""
        self.due = when if self.due is None else min(when, self.due)
        for queue in self.topology.queues.values():
            self.wake(queue)

    def changed(self) -> None:
        """Note that what is declared, bound or consumed has changed."""
        generation = self.topology.generation + 1
        self.db.execute("UPDATE state SET generation = ?", (generation,))
        self.topology = load(self.db, generation)


class Store:
    """One broker. All of a process's connections to it share one store: see `open_store`."""

    def __init__(self, place: Place, locks: FileLocks | None = None) -> None:
        self.place = place
        self.connections = 0
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._caller = Caller()
        self._topology: Topology | None = None
        self.watch: Watch | None = None  # see `watch.listen`
        with ExitStack() as opened:
            opened.callback(self._caller.close)
            try:
                self.locks: Locks = locks or (
                    NoLocks() if place.path is None else FileLocks(f"{place.path}-lock")
                )
                opened.callback(lambda: self.locks.close())  # of that time: see `hand_over`
                if place.path is not None:
                    with self.locks.writing():
                        _create(place.path)
                self._db = sqlite3.connect(
                    place.path or ":memory:",
                    timeout=_BUSY_SECONDS,
                    isolation_level=None,
                    check_same_thread=False,
                    cached_statements=256,
                )
                opened.callback(self._db.close)
                with self.locks.writing():
                    prepare(self._db, place.label)
            except OSError as error:
                raise BrokerError(
                    f"the broker's file {place.label} cannot be opened: {error.strerror}; its folder must "
                    "exist and be writable"
                ) from error
            except sqlite3.Error as error:
                raise BrokerError(
                    f"{place.label} cannot be used as a broker: {error}; name another file"
                ) from error
            self._file = None if place.path is None else _identity(place.path)
            self._opened = opened.pop_all()

    @property
    def stale(self) -> bool:
        """Whether the file is no more what was opened: whoever opens it now reads and writes another one."""
        if self._file is None:
            return False
        locks = self.locks
        return (
            not isinstance(locks, FileLocks) or locks.stale or _identity(self.place.path or "") != self._file
        )

    def hand_over(self) -> FileLocks | None:
        """Give the locks to the store of the file that is in the place of this one, which has become stale.

        A process has one descriptor of the lock's file, or closing this one's would drop the other's locks.
        """
        with self._lock:
            locks, self.locks = self.locks, NoLocks()
        if not isinstance(locks, FileLocks):
            return None
        if locks.stale:  # another file as well: each has its own locks
            locks.close()
            return None
        locks.begin_anew()
        return locks

    def _check_file(self) -> None:
        if self.stale:
            raise RecoverableConnectionError(
                f"the broker's file {self.place.label} has been replaced or removed while it was in use; "
                "what is there now is opened instead"
            )

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Read and write as one step that no other thread or process sees half of.

        Raises
        ------
        amqp.exceptions.RecoverableConnectionError
            Where SQLite fails: the disk is full, the file has gone or is damaged.
        """
        if os.getpid() != self._process:
            raise BrokerError(
                f"{self.place.label} was opened before this process was forked: open connections afterwards"
            )
        with self._lock:
            try:
                with self.locks.writing():
                    session = self._begin()
                    try:
                        self._check_file()
                        yield session
                        self._db.execute("COMMIT")
                    except BaseException:
                        if self._db.in_transaction:  # SQLite has rolled back some failures itself
                            self._db.execute("ROLLBACK")
                        raise
                    self._topology = session.topology
            except (sqlite3.Error, OSError) as error:
                raise self._failed(error) from error
        watch = self.watch
        if session.due is not None and watch is not None:
            watch.falls_due(session.due)
        if session.calls:
            self._caller.call(session.calls)

    def _begin(self) -> Session:
        self._db.execute("BEGIN IMMEDIATE")
        (generation,) = self._db.execute("SELECT generation FROM state").fetchone()
        if self._topology is None or self._topology.generation != generation:
            self._topology = load(self._db, generation)
        return Session(self._db, self._topology, int(time.time() * 1000))

    def version(self) -> int:
        """Give a number that changes when another process has written."""
        self._check_file()
        return self._look(lambda: int(self._db.execute("PRAGMA data_version").fetchone()[0]))

    def dead(self) -> list[int]:
        """Give the owners whose process has ended without giving back what it held."""
        owners = self._look(lambda: [number for (number,) in self._db.execute("SELECT id FROM owners")])
        return [owner for owner in owners if self.locks.is_dead(owner)]

    def _look(self, look: Callable[[], T]) -> T:
        """Read outside of a transaction; fails as one does."""
        with self._lock:
            try:
                return look()
            except sqlite3.Error as error:
                raise self._failed(error) from error

    def _failed(self, error: Exception) -> RecoverableConnectionError:
        return RecoverableConnectionError(
            f"the broker {self.place.label} failed: {error}; see that its disk has room and its file is there"
        )

    def call(self, addresses: Iterable[str]) -> None:
        """Wake connections outside of a transaction."""
        self._caller.call(addresses)

    def close(self) -> None:
        """Close the file; a broker in memory is gone."""
        self._opened.close()


def _identity(path: str) -> tuple[int, int] | None:
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def _create(path: str) -> None:
    """Make a file that nobody else may read: messages may hold personal data. One that is there stays.

    What SQLite kept beside one that was removed is not of this one, and would be read into it.
    """
    if not os.path.exists(path):
        for ending in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.unlink(f"{path}{ending}")
    with suppress(FileExistsError):  # opening and closing it would drop SQLite's locks on it
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


_stores: dict[tuple[int, Place], Store] = {}
_registry = threading.Lock()


def open_store(place: Place) -> Store:
    """Give this process's store of a broker, opened on first use.

    Raises
    ------
    BrokerError
        Where the file cannot be opened, or holds something else.
    """
    with _registry:
        key = (os.getpid(), place)
        if key in _stores and _stores[key].stale:  # those who have it open find out, and give it back
            _stores[key] = Store(place, _stores.pop(key).hand_over())
        elif key not in _stores:
            _stores[key] = Store(place)
        _stores[key].connections += 1
        return _stores[key]


def release_store(store: Store) -> None:
    """Give a store back; a file is closed with its last connection, a broker in memory stays."""
    with _registry:
        store.connections -= 1
        if store.connections == 0 and store.place.path is not None:
            key = (os.getpid(), store.place)
            if _stores.get(key) is store:
                del _stores[key]
            store.close()


def forget(place: Place) -> None:
    """Drop a broker in memory with all its messages; nothing happens where there is none."""
    with _registry:
        store = _stores.pop((os.getpid(), place), None)
        if store is not None:
            store.close()
