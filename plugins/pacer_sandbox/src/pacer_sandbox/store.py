"""Where the catalogue keeps its data: one SQLite database, one table per entity.

A table has ``id``, one column per attribute and one per to-one field, which holds the target's id.
Times are whole seconds since the epoch, booleans 0 and 1, enumerations their names.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pacer_sandbox import collation, triggers
from pacer_sandbox.query import register
from pacer_sandbox.schema import Entity, Schema

COLUMN_TYPES = {
    "String": "TEXT COLLATE ICAT",
    "Date": "INTEGER",
    "Long": "INTEGER",
    "Integer": "INTEGER",
    "boolean": "INTEGER",
    "Double": "REAL",
}
"""The column type of each attribute type; an enumeration's is TEXT."""


class StoreError(ValueError):
    """A data file that cannot be used."""


class Store:
    """The database behind one sandbox.

    One connection serves all threads, one at a time: SQLite has a single writer anyway. Ids come from
    one sequence for all entities, and none is given twice.
    """

    def __init__(self, schema: Schema, path: Path | None = None) -> None:
        self.schema = schema
        self.lock = threading.RLock()
        self.connection = connect(path)
        self._snapshot: sqlite3.Connection | None = None
        try:
            if not self.connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_sequence'").fetchone():
                self.connection.executescript(ddl(schema))
            self._next_id = self._stored_id()
        except BaseException:
            self.connection.close()
            raise

    def _stored_id(self) -> int:
        found: int = self.connection.execute("SELECT next FROM _sequence").fetchone()[0]
        return found

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the database for oneself: what happens inside is kept whole, or undone on an exception."""
        with self.lock:
            if self.connection.in_transaction:
                raise RuntimeError("a transaction inside a transaction")
            first_id = self._next_id
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                if self._next_id != first_id:
                    self.connection.execute("UPDATE _sequence SET next = ?", (self._next_id,))
                self.connection.execute("COMMIT")
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Hold the database for reading."""
        with self.lock:
            yield self.connection

    def new_id(self) -> int:
        """Return the next id; to be called inside a transaction."""
        found = self._next_id
        self._next_id += 1
        return found

    @property
    def keeps_counts(self) -> bool:
        """Whether triggers keep ``fileCount`` and ``fileSize``."""
        with self.lock:
            return triggers.are_installed(self.connection)

    def keep_counts(self, wanted: bool) -> None:
        """Install the triggers that keep ``fileCount`` and ``fileSize``, or remove them."""
        with self.transaction() as connection:
            (triggers.install if wanted else triggers.remove)(connection)

    def keep(self) -> None:
        """Remember the present content as what ``reset`` returns to."""
        with self.lock:
            if self._snapshot is None:
                self._snapshot = connect(None)
            self.connection.backup(self._snapshot)

    def reset(self) -> None:
        """Return to what ``keep`` remembered. Ids go on counting."""
        if self._snapshot is None:
            raise RuntimeError("keep() comes before reset()")
        with self.lock:
            self._snapshot.backup(self.connection)
            self.connection.execute("UPDATE _sequence SET next = ?", (self._next_id,))

    def close(self) -> None:
        """Close the database."""
        with self.lock:
            self.connection.close()
            if self._snapshot is not None:
                self._snapshot.close()


def connect(path: Path | None) -> sqlite3.Connection:
    """Open a database (in memory without a path) with the collation and the functions that we need.

    A file is ours alone while it is open. Raises StoreError where another process has it, or where it
    is no database.
    """
    connection = sqlite3.connect(
        ":memory:" if path is None else path, isolation_level=None, check_same_thread=False, timeout=0.2
    )
    collation.register(connection)
    register(connection)
    connection.execute("PRAGMA foreign_keys = ON")
    if path is not None:
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")  # survives kill -9, not a power cut
        except sqlite3.Error as exc:
            connection.close()
            raise StoreError(f"{path}: {exc}; is another sandbox using it?") from exc
    return connection


def ddl(schema: Schema) -> str:
    """Return the statements that make an empty catalogue."""
    statements = ["CREATE TABLE _sequence (next INTEGER NOT NULL)", "INSERT INTO _sequence VALUES (1)"]
    for entity in schema:
        statements.append(_table(entity))
        statements.extend(_indices(entity))
    return "BEGIN;\n" + ";\n".join(statements) + ";\nCOMMIT;"


def _table(entity: Entity) -> str:
    columns = []
    for column in entity.columns:
        if column.name == "id":
            kind = "INTEGER PRIMARY KEY"
        elif column.rel_type == "ONE":
            kind = f'INTEGER REFERENCES "{column.type}" ON DELETE CASCADE'
        else:
            kind = COLUMN_TYPES.get(column.type, "TEXT")
        columns.append(f'"{column.name}" {kind}{" NOT NULL" if column.not_null else ""}')
    return f'CREATE TABLE "{entity.name}" ({", ".join(columns)})'


def _indices(entity: Entity) -> Iterator[str]:
    if entity.key:
        columns = ", ".join(f'"{name}"' for name in entity.key)
        yield f'CREATE UNIQUE INDEX "{entity.name}_key" ON "{entity.name}" ({columns})'
    for one in entity.ones:
        if entity.key[:1] != (one.name,):  # else the unique index serves
            yield f'CREATE INDEX "{entity.name}_{one.name}" ON "{entity.name}" ("{one.name}")'
