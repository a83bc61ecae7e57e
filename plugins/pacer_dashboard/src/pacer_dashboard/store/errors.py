"""Groups of failures, counted as records come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime

from attrs import define

from pacer_dashboard.models import ErrorGroup
from pacer_dashboard.records import Fingerprint, Record
from pacer_dashboard.store import given

_GROUP: given.Columns = {
    "fingerprint": "varchar",
    "version": "integer",
    "task": "varchar",
    "kind": "varchar",
    "title": "text",
    "first_seen": "timestamptz",
    "last_seen": "timestamptz",
    "count": "bigint",
    "revision": "bigint",
}
_ADD = """
INSERT INTO pacer_dashboard_errorgroup AS known
    (fingerprint, version, task, kind, title, first_seen, last_seen, count, revision,
    status, status_by, status_note)
SELECT new.*, 'open', '', '' FROM ({given}) AS new WHERE true
ON CONFLICT (fingerprint) DO UPDATE SET count = known.count + excluded.count, revision = excluded.revision,
    first_seen = CASE WHEN excluded.first_seen < known.first_seen
        THEN excluded.first_seen ELSE known.first_seen END,
    last_seen = CASE WHEN excluded.last_seen > known.last_seen
        THEN excluded.last_seen ELSE known.last_seen END
RETURNING fingerprint, id, status, merged_into_id
"""
_DAY: given.Columns = {"group_id": "bigint", "day": "date", "count": "bigint"}
_ADD_DAYS = """
INSERT INTO pacer_dashboard_errorday AS known (group_id, day, count) {given}
ON CONFLICT (group_id, day) DO UPDATE SET count = known.count + excluded.count
"""


@define
class _Found:
    print: Fingerprint
    first: datetime
    last: datetime
    days: Counter[date]


def count(failed: Iterable[tuple[Fingerprint, Record]], revision: int) -> Mapping[str, int]:
    """Count the failures of new records in their groups, which are made where there are none.

    A group that was resolved before one of them is open again. Called with the clock taken, which gave
    ``revision`` for groups that change.

    Returns
    -------
    mapping
        By fingerprint, the group's number.
    """
    found: dict[str, _Found] = {}
    for print_, record in failed:
        seen = found.get(print_.key)
        if seen is None:
            seen = found[print_.key] = _Found(print_, record.finished, record.finished, Counter())
        seen.first, seen.last = min(seen.first, record.finished), max(seen.last, record.finished)
        seen.days[record.finished.astimezone(UTC).date()] += 1
    if not found:
        return {}
    rows = (
        (
            *(one.print.key, one.print.version, one.print.task, one.print.kind, one.print.title),
            *(one.first, one.last, one.days.total(), revision),
        )
        for one in found.values()
    )
    groups: dict[str, int] = {}
    for print_key, id_, status, merged_into in given.run(_ADD, _GROUP, rows):
        groups[print_key] = id_
        if merged_into is not None or status == ErrorGroup.Status.RESOLVED:
            _come_back(id_, found[print_key].last, revision)
    days = ((groups[key], day.isoformat(), n) for key, one in found.items() for day, n in one.days.items())
    given.run(_ADD_DAYS, _DAY, days)
    return groups


def _come_back(group: int, last: datetime, revision: int) -> None:
    """Open the group that stands for one again, where it was resolved before that was seen last."""
    root = ErrorGroup.objects.get(id=group)
    while root.merged_into is not None:
        root = root.merged_into
    if root.status == ErrorGroup.Status.RESOLVED and root.status_at and last > root.status_at:
        root.status, root.regressed_at, root.revision = ErrorGroup.Status.OPEN, last, revision
        root.save(update_fields=["status", "regressed_at", "revision"])
