"""Storing many records of which some may not be readable, or be refused: each has an end of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from django.db import connection

from pacer_dashboard.records import Record
from pacer_dashboard.store.away import is_away
from pacer_dashboard.store.drafts import Draft, draft
from pacer_dashboard.store.paper import Paper, paper_of
from pacer_dashboard.store.writer import commit

End = bool | Exception
"""Whether a record is new, or else why it is not stored."""


def store_each(reads: Iterable[Callable[[], Record]]) -> list[End]:
    """Store the records that functions give, in one transaction where the database takes them all.

    Raises
    ------
    django.db.Error
        Where the database is away; some may be stored then.
    """
    paper = paper_of(connection.vendor)
    drawn = [_drawn_up(read, paper) for read in reads]
    connection.close_if_unusable_or_obsolete()
    ends = iter(_commit([one for one in drawn if isinstance(one, Draft)]))
    return [next(ends) if isinstance(one, Draft) else one for one in drawn]


def _drawn_up(read: Callable[[], Record], paper: Paper) -> Draft | Exception:
    try:
        return draft(read(), paper)
    except Exception as error:
        return error


def _commit(drafts: Sequence[Draft]) -> list[End]:
    """Store drafts; where the database refuses them for one of them, each half by itself."""
    if not drafts:
        return []
    try:
        new = commit(drafts).fresh
    except Exception as error:
        if is_away(error):
            raise
        if len(drafts) == 1:
            return [error]
        half = len(drafts) // 2
        return [*_commit(drafts[:half]), *_commit(drafts[half:])]
    ends: list[End] = []
    for one in drafts:
        key = one.record.correlation_id, one.record.id
        ends.append(key in new)
        new.discard(key)
    return ends
