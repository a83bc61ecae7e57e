"""The tables of the broker's file.

A message is a row in `content`, written once, and a small row in `entries`, its place in a queue; what
happens to it (a lease, a return, its end) touches the small row only, so a body of a megabyte is never
rewritten. `entries` is stored in the order in which messages are delivered.

`entries.owner` is 0 for a ready message, an owner's number for one that is leased, and -1 for one that has
left its queue for a dead-letter exchange that leads nowhere yet (``reason`` says why it left). `expires` is
in milliseconds since 1970. `state.generation` grows with every change of what is declared, bound or consumed.
"""

from __future__ import annotations

import sqlite3

from pacer_core import BrokerError

VERSION = 1
APPLICATION = 0x50414352  # "PACR", in SQLite's header, where `file` reads it too

READY = 0
HELD = -1

TABLES = """
CREATE TABLE state (generation INTEGER NOT NULL);
INSERT INTO state VALUES (0);
CREATE TABLE exchanges (
    name TEXT PRIMARY KEY, type TEXT NOT NULL,
    durable INTEGER NOT NULL, auto_delete INTEGER NOT NULL, arguments BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE queues (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
    durable INTEGER NOT NULL, auto_delete INTEGER NOT NULL, arguments BLOB NOT NULL
);
CREATE TABLE bindings (
    exchange TEXT NOT NULL, queue TEXT NOT NULL, routing_key TEXT NOT NULL, arguments BLOB NOT NULL,
    PRIMARY KEY (exchange, queue, routing_key, arguments)
) WITHOUT ROWID;
CREATE TABLE owners (id INTEGER PRIMARY KEY AUTOINCREMENT, pid INTEGER NOT NULL, address TEXT NOT NULL);
CREATE TABLE consumers (
    id INTEGER PRIMARY KEY AUTOINCREMENT, owner INTEGER NOT NULL, queue INTEGER NOT NULL,
    exclusive INTEGER NOT NULL
);
CREATE TABLE content (
    id INTEGER PRIMARY KEY, exchange TEXT NOT NULL, routing_key TEXT NOT NULL,
    properties BLOB NOT NULL, body BLOB NOT NULL
);
CREATE TABLE entries (
    queue INTEGER NOT NULL, rank INTEGER NOT NULL, id INTEGER NOT NULL,
    owner INTEGER NOT NULL, redelivered INTEGER NOT NULL, expires INTEGER, reason TEXT,
    PRIMARY KEY (queue, rank, id)
) WITHOUT ROWID;
CREATE INDEX due ON entries (expires, id) WHERE expires IS NOT NULL AND owner <= 0;
"""


def prepare(db: sqlite3.Connection, label: str) -> None:
    """Set a new handle up, and create the tables where the file is new; the caller holds the write mutex.

    Raises
    ------
    BrokerError
        Where the file holds something else, or was written by another release.
    """
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != APPLICATION:
        raise BrokerError(f"{label} is an SQLite file of something else: name another file")
    if tables and version != VERSION:
        raise BrokerError(
            f"{label} has format {version}, and this release of pacer-embedded reads format {VERSION}: "
            "empty its queues with the release that wrote it, then remove the file"
        )
    # NORMAL: a commit survives every death of a process. After a power cut the file is sound, but what was
    # committed in the last moments may be gone; FULL would cost a disk flush for each message.
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA wal_autocheckpoint = 4000")
    db.execute("PRAGMA journal_size_limit = 67108864")
    if not tables:
        db.executescript(
            f"BEGIN IMMEDIATE; {TABLES} PRAGMA application_id = {APPLICATION};"
            f"PRAGMA user_version = {VERSION}; COMMIT;"
        )
