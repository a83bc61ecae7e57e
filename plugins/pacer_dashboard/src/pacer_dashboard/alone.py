"""What one process of several may do at a time: to make tables and partitions, to tell people, to check.

Whoever makes tables needs them, so each waits for its turn; what is done for all is left to the first.
A process that is killed keeps none of these locks.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import Error, connection

_NUMBER = 0x9ACE_0001
"""That of PostgreSQL's lock for tables; those of what is done for all come after it."""
_FOR_ALL = {"alerts": 1, "checks": 2}


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
        _unlock(_NUMBER)


@contextmanager
def for_all(what: str) -> Iterator[bool]:
    """Tell whether no other process does ``what`` in this database now; none begins with it meanwhile."""
    if connection.vendor != "postgresql":
        with Path(str(connection.settings_dict["NAME"])).with_suffix(f".{what}").open("w") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        return
    number = _NUMBER + _FOR_ALL[what]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [number])
        (free,) = cursor.fetchone()
    try:
        yield bool(free)
    finally:
        if free:
            _unlock(number)


def _unlock(number: int) -> None:
    # The lock is the connection's: where that is lost, it is as well.
    with contextlib.suppress(Error), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s)", [number])
