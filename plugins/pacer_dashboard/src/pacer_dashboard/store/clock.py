"""The clock of changes."""

from __future__ import annotations

from django.db import connection


def take(changes: int) -> int:
    """Give the first of so many new revisions; from now on until the commit, nobody else gets any.

    The row that holds the last revision stays locked, so that whoever changes messages does so after another,
    and revisions grow in the order of commits: who reads those above the last that he saw misses none.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pacer_dashboard_clock SET revision = revision + %s WHERE id = 1 RETURNING revision",
            [changes],
        )
        (last,) = cursor.fetchone()
    return int(last) - changes + 1
