"""Making tables and partitions: of several processes that begin at once, each waits for its turn."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import DatabaseError, connection

_NUMBER = 0x9ACE_0001
"""That of PostgreSQL's lock."""


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other process does so in this database: Django itself does not look for one."""
    if connection.vendor != "postgresql":
        with Path(str(connection.settings_dict["NAME"])).with_suffix(".migrating").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_NUMBER])
    try:
        yield
    finally:
        # The lock is the connection's: where that is lost, it is as well.
        with contextlib.suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_NUMBER])
