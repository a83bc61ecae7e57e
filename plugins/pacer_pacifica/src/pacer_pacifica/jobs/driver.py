"""Transactions at the database's driver, for what is asked at every stage of every job.

SQLAlchemy takes ten times as long to hand such a statement on as SQLite does to run it, and keeps all other
writers waiting meanwhile.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import PoolProxiedConnection

PATIENCE = 30.0
"""Seconds that a writer of SQLite waits for another one."""
_GLANCE = 0.001  # seconds after which it looks again whether there is none


class Driver:
    """A transaction; statements have their parameters as ``:name``, and are the same for both databases."""

    def __init__(self, connection: PoolProxiedConnection, *, is_sqlite: bool) -> None:
        self._cursor: Any = connection.cursor()
        self._is_sqlite = is_sqlite

    def run(self, statement: str, given: Mapping[str, Any]) -> int:
        """Run a statement; give the number of rows that it has changed."""
        if self._is_sqlite:
            self._cursor.execute(statement, {name: _stored(value) for name, value in given.items()})
        else:
            self._cursor.execute(_spelt(statement), given)
        return int(self._cursor.rowcount)

    def value(self, statement: str, given: Mapping[str, Any]) -> Any:
        """Run a query for one column of one row; give what is there, or ``None``."""
        self.run(statement, given)
        row = self._cursor.fetchone()
        return None if row is None else row[0]


def begin_to_write(connection: PoolProxiedConnection, *, durable: bool) -> None:
    """Begin a transaction of SQLite's as soon as no other process writes; ``durable`` ones are synced.

    SQLite by itself sleeps longer and longer, up to 100 ms, before it looks again: whoever came first waits
    for all who come later, and a second process makes the first one slower than it is alone.

    Raises
    ------
    sqlite3.OperationalError
        Where it has not had its turn.
    """
    sqlite: Any = connection.driver_connection
    wanted = "FULL" if durable else "NORMAL"
    if connection.info.get("synchronous") != wanted:
        sqlite.execute(f"PRAGMA synchronous = {wanted}")
        connection.info["synchronous"] = wanted
    until = time.monotonic() + PATIENCE
    sqlite.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                sqlite.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:  # there are several kinds of busy
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
            time.sleep(_GLANCE)
    finally:
        sqlite.execute(f"PRAGMA busy_timeout = {PATIENCE * 1000:.0f}")


def _stored(value: Any) -> Any:
    """Give a value as SQLAlchemy has SQLite store it."""
    return value.isoformat(" ", "microseconds") if isinstance(value, datetime) else value


@cache
def _spelt(statement: str) -> str:
    return re.sub(r":(\w+)", r"%(\1)s", statement)
