"""Groups of failures, counted as records come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime

from attrs import define
from django.db.models import F

from pacer_dashboard.models import ErrorDay, ErrorGroup
from pacer_dashboard.records import Failure, Fingerprint, Record, fingerprint
from pacer_dashboard.store import clock


@define
class _Found:
    print: Fingerprint
    first: datetime
    last: datetime
    days: Counter[date]


def key(failure: Failure) -> str:
    """Give the key of the group that a failure belongs to."""
    return fingerprint(failure).key


def count(records: Iterable[Record]) -> Mapping[str, int]:
    """Count the failures of new records in their groups, which are made where there are none.

    A group that was resolved before one of them is open again. Called with the clock taken.

    Returns
    -------
    mapping
        By fingerprint, the group's number.
    """
    found: dict[str, _Found] = {}
    for record in records:
        failure = record.failure if record.failed else None
        if failure is None:
            continue
        one = fingerprint(failure)
        seen = found.setdefault(one.key, _Found(one, record.finished, record.finished, Counter()))
        seen.first, seen.last = min(seen.first, record.finished), max(seen.last, record.finished)
        seen.days[record.finished.astimezone(UTC).date()] += 1
    if not found:
        return {}
    revision = clock.take(1)
    groups = {one.fingerprint: one for one in ErrorGroup.objects.filter(fingerprint__in=[*found])}
    for print_, seen in found.items():
        if print_ in groups:
            _more(groups[print_], seen, revision)
        else:
            groups[print_] = _first(seen, revision)
    _days(found, groups)
    return {print_: group.id for print_, group in groups.items()}


def _first(seen: _Found, revision: int) -> ErrorGroup:
    return ErrorGroup.objects.create(
        fingerprint=seen.print.key,
        version=seen.print.version,
        task=seen.print.task,
        kind=seen.print.kind,
        title=seen.print.title,
        first_seen=seen.first,
        last_seen=seen.last,
        count=seen.days.total(),
        revision=revision,
    )


def _more(group: ErrorGroup, seen: _Found, revision: int) -> None:
    group.first_seen, group.last_seen = min(group.first_seen, seen.first), max(group.last_seen, seen.last)
    group.count += seen.days.total()
    group.revision = revision
    group.save(update_fields=["first_seen", "last_seen", "count", "revision"])
    root = group
    while root.merged_into is not None:
        root = root.merged_into
    if root.status == ErrorGroup.Status.RESOLVED and root.status_at and seen.last > root.status_at:
        root.status, root.regressed_at, root.revision = ErrorGroup.Status.OPEN, seen.last, revision
        root.save(update_fields=["status", "regressed_at", "revision"])


def _days(found: Mapping[str, _Found], groups: Mapping[str, ErrorGroup]) -> None:
    for print_, seen in found.items():
        for day, number in seen.days.items():
            group = groups[print_]
            if not ErrorDay.objects.filter(group=group, day=day).update(count=F("count") + number):
                ErrorDay.objects.create(group=group, day=day, count=number)
