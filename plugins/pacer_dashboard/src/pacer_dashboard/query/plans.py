"""How PostgreSQL is to go about a list: along indexes, in their order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

# Its planner takes an identifier's key and value, and a message's time and id, for independent of each other;
# so it expects one row where there are thousands, and reads whole months to join them at once.
_ALONG_INDEXES = """
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
SET LOCAL max_parallel_workers_per_gather = 0;
SET LOCAL jit = off
"""


@contextmanager
def along_indexes() -> Iterator[None]:
    """Have what is asked inside go along indexes, a row at a time, until enough is found."""
    if connection.vendor != "postgresql":
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_ALONG_INDEXES)
        yield
