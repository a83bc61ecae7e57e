"""Which messages somebody means: some that he has ticked, or all that a filter finds."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen
from django.http import QueryDict

from pacer_dashboard.query import Filter, NotVisible, Right, Row, Viewer, life, listing

MOST = 10_000
"""Messages that one action is about at most; of more than that, the newest."""
MOST_IDS = 1000
"""Messages that may be named one by one."""


class BadSelection(ValueError):
    """Nothing is chosen, or too much; its text is for the person who has chosen."""


@frozen
class Selection:
    """Correlation ids, or a filter: ``None`` where messages are named."""

    ids: tuple[str, ...] = ()
    filter: Filter | None = None

    @classmethod
    def read(cls, form: QueryDict) -> Selection:
        """Read what a form of a list says: ``id`` for each message, or ``all`` and the list's ``query``.

        Raises
        ------
        BadSelection
            Where it says nothing.
        BadFilter
            Where the query cannot be read.
        """
        if form.get("all"):
            return cls(filter=Filter.from_query(QueryDict(form.get("query", ""))))
        ids = tuple(dict.fromkeys(one for one in form.getlist("id") if one and "\0" not in one))
        if not ids:
            raise BadSelection("no message is chosen")
        if len(ids) > MOST_IDS:
            raise BadSelection(f"more than {MOST_IDS} messages are chosen one by one: use a filter")
        return cls(ids)

    @property
    def said(self) -> str:
        """What it is in words, for the audit log."""
        if self.filter is None:
            return ", ".join(self.ids[:20]) + (
                f" and {len(self.ids) - 20} more" if len(self.ids) > 20 else ""
            )
        return f"all that fit ?{self.filter.to_query()}"

    def rows(self, viewer: Viewer, right: Right) -> Iterator[Row]:
        """Give the messages on which a viewer has a right, `MOST` at most; he does not learn of others."""
        if self.filter is not None:
            for number, row in enumerate(listing.walk(viewer, self.filter, right)):
                if number >= MOST:
                    return
                yield row
            return
        for id_ in self.ids:
            try:
                yield life.row(viewer, id_, right)
            except NotVisible:
                continue
