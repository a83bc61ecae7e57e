"""Records on disk until the broker has taken them: one SQLite file for all processes of a configuration."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from attrs import frozen

_SCHEMA = """
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS record (
    id INTEGER PRIMARY KEY, exchange TEXT NOT NULL, routing_key TEXT NOT NULL, body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS held (bytes INTEGER NOT NULL);
INSERT INTO held SELECT 0 WHERE NOT EXISTS (SELECT * FROM held);
CREATE TABLE IF NOT EXISTS refused (exchange TEXT NOT NULL, routing_key TEXT NOT NULL, body BLOB NOT NULL);
CREATE TRIGGER IF NOT EXISTS more AFTER INSERT ON record
    BEGIN UPDATE held SET bytes = bytes + length(new.body); END;
CREATE TRIGGER IF NOT EXISTS less AFTER DELETE ON record
    BEGIN UPDATE held SET bytes = bytes - length(old.body); END;
CREATE TRIGGER IF NOT EXISTS more_refused AFTER INSERT ON refused
    BEGIN UPDATE held SET bytes = bytes + length(new.body); END;
CREATE TRIGGER IF NOT EXISTS less_refused AFTER DELETE ON refused
    BEGIN UPDATE held SET bytes = bytes - length(old.body); END;
"""
_FREE = 256  # pages of 4 KiB that are kept for records to come
_BUSY = 10.0  # seconds that another process may write


@frozen
class Kept:
    """A record that waits."""

    id: int
    exchange: str
    routing_key: str
    body: bytes


class Spool:
    """The records that wait; for one thread at a time, beside others that have the same file open.

    A record is there when `keep` returns, and survives a killed process; of a power failure it may not
    survive the last moments.

    Raises
    ------
    sqlite3.Error, OSError
        From every method, where the disk does not take or give it.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock_file = path.with_suffix(".lock")
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # bodies may be about people
        self._connection = sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
        with _locked(path.parent, os.O_RDONLY):  # SQLite does not wait for one who makes the same change
            self._connection.executescript(_SCHEMA)
        self._connection.execute("PRAGMA synchronous = NORMAL")

    def keep(self, exchange: str, routing_key: str, body: bytes, most: int) -> bool:
        """Add a record; ``False``, and nothing is added, where all together would have more bytes."""
        added = self._connection.execute(
            "INSERT INTO record (exchange, routing_key, body) "
            "SELECT ?, ?, ? WHERE (SELECT bytes FROM held) + ? <= ?",
            (exchange, routing_key, body, len(body), most),
        )
        return added.rowcount == 1

    def oldest(self, records: int, most: int, closed: Sequence[tuple[str, str]] = ()) -> Sequence[Kept]:
        """Give the first records, all for one routing key and together not larger than ``most``, but one.

        Those for the exchanges and routing keys in ``closed`` are left out.
        """
        found: list[Kept] = []
        size = 0
        others = "".join([" AND NOT (exchange = ? AND routing_key = ?)" for _ in set(closed)])
        rows = self._connection.execute(
            f"SELECT id, exchange, routing_key, body FROM record WHERE TRUE{others} ORDER BY id LIMIT ?",  # noqa: S608 - placeholders
            (*(name for where in set(closed) for name in where), records),
        )
        with closing(rows):
            for row in rows:
                one = Kept(*row)
                size += len(one.body)
                to = (one.exchange, one.routing_key)
                if found and (size > most or to != (found[0].exchange, found[0].routing_key)):
                    break
                found.append(one)
        return found

    def forget(self, records: Sequence[Kept]) -> None:
        """Remove records, and give their room back to the disk."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("DELETE FROM record WHERE id = ?", [(one.id,) for one in records])
        self._connection.execute("COMMIT")
        ((free,),) = self._connection.execute("PRAGMA freelist_count")
        if free > _FREE:
            # A script: execute() takes one step of it alone.
            self._connection.executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)")

    def refuse(self, record: Kept) -> None:
        """Keep a record out of those that wait, until `try_refused_again`."""
        with self._transaction():
            self._connection.execute(
                "INSERT INTO refused SELECT exchange, routing_key, body FROM record WHERE id = ?",
                (record.id,),
            )
            self._connection.execute("DELETE FROM record WHERE id = ?", (record.id,))

    def try_refused_again(self) -> None:
        """Let what was refused wait with the others, behind them."""
        with self._transaction():
            self._connection.execute(
                "INSERT INTO record (exchange, routing_key, body) "
                "SELECT exchange, routing_key, body FROM refused ORDER BY rowid"
            )
            self._connection.execute("DELETE FROM refused")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Say whether no other process sends just now, and keep the others from it meanwhile."""
        with _locked(self._lock_file, os.O_RDWR | os.O_CREAT, wait=False) as alone:
            yield alone

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


@contextmanager
def _locked(path: Path, flags: int, *, wait: bool = True) -> Iterator[bool]:
    """Lock a file or a folder against all others; ``False`` where it is locked and not to be waited for."""
    file = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(file)
