"""Errors, by what they have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

from attrs import frozen
from django.db.models import Count, Max, Min
from django.db.models.functions import TruncDate

from pacer_dashboard.models import ErrorDay, ErrorGroup, Message
from pacer_dashboard.query import where
from pacer_dashboard.query.errors import NotVisible
from pacer_dashboard.query.filters import Filter
from pacer_dashboard.query.viewer import Viewer

DAYS = 30
"""How many days a sparkline has."""


@frozen
class Group:
    """Errors that are the same one, as far as a viewer sees them.

    ``count``, ``first_seen``, ``last_seen`` and ``days`` are of failures for those who see everything. For
    others they are of the messages that they see, each counted at its latest failure; so that they do not
    learn what happened to others'. ``days`` has the last `DAYS` days, the oldest first.
    """

    id: int
    task: str
    kind: str
    title: str
    status: str
    status_by: str
    status_at: datetime | None
    status_note: str
    regressed_at: datetime | None
    first_seen: datetime
    last_seen: datetime
    count: int
    days: tuple[int, ...]
    merged: tuple[int, ...]


@frozen
class GroupPage:
    """Some groups, that with the latest failure first; ``more`` says whether there are others after them."""

    groups: tuple[Group, ...]
    more: bool


@frozen
class Touched:
    """Whom and what a group has touched, of the messages that a viewer sees: the most frequent ones first."""

    proposals: tuple[tuple[str, int], ...]
    instruments: tuple[tuple[str, int], ...]
    users: tuple[tuple[str, int], ...]
    messages: int


@frozen
class _Seen:
    count: int
    first: datetime
    last: datetime


def page(
    viewer: Viewer,
    filter_: Filter | None = None,
    *,
    statuses: Sequence[str] = (ErrorGroup.Status.OPEN,),
    offset: int = 0,
    size: int = 50,
) -> GroupPage:
    """Give groups of some statuses that a viewer sees messages of.

    With a filter that asks for anything, counts are those of the messages that it finds.
    """
    seen = (
        None
        if viewer.everything and (filter_ or Filter()) == Filter()
        else _seen(viewer, filter_ or Filter())
    )
    roots = ErrorGroup.objects.filter(merged_into=None, status__in=statuses)
    if seen is None:
        chosen = [*roots.order_by("-last_seen", "-id")[offset : offset + size + 1]]
    else:
        found = sorted(
            roots.filter(id__in=[*seen]), key=lambda one: (seen[one.id].last, one.id), reverse=True
        )
        chosen = found[offset : offset + size + 1]
    return GroupPage(tuple(_groups(viewer, chosen[:size], seen)), more=len(chosen) > size)


def group(viewer: Viewer, id_: int) -> Group:
    """Give a group, or the one that stands for it.

    Raises
    ------
    NotVisible
        Where there is none, or the viewer sees no message of it.
    """
    found = ErrorGroup.objects.filter(id=id_).first()
    if found is not None and found.merged_into is not None:
        found = found.merged_into
    if found is not None:
        seen = None if viewer.everything else _seen(viewer, Filter(group=found.id))
        if seen is None or found.id in seen:
            return next(iter(_groups(viewer, [found], seen)))
    raise NotVisible(f"group {id_}")


def touched(viewer: Viewer, id_: int, most: int = 20) -> Touched:
    """Give whom a group has touched, by its latest messages that a viewer sees (10 000 at most)."""
    condition = where.visible(viewer, Filter(group=id_))
    rows = Message.objects.filter(condition).order_by("-arrived", "-correlation_id")
    proposals: Counter[str] = Counter()
    instruments: Counter[str] = Counter()
    users: Counter[str] = Counter()
    messages = 0
    for proposal, instrument, identifiers in rows.values_list("proposal", "instrument", "identifiers")[
        :10_000
    ]:
        messages += 1
        proposals[proposal] += bool(proposal)
        instruments[instrument] += bool(instrument)
        users[identifiers.get("user", "")] += bool(identifiers.get("user"))
    return Touched(_most(proposals, most), _most(instruments, most), _most(users, most), messages)


def merged() -> dict[int, int]:
    """Give by each group that was merged the one that stands for it."""
    pairs = ErrorGroup.objects.filter(merged_into__isnull=False).values_list("id", "merged_into")
    return {one: root for one, root in pairs if root is not None}


def _most(counts: Counter[str], most: int) -> tuple[tuple[str, int], ...]:
    return tuple((name, count) for name, count in counts.most_common(most) if count)


def _seen(viewer: Viewer, filter_: Filter) -> dict[int, _Seen]:
    """Give by group what a viewer sees of it, merged groups as part of the one that stands for them."""
    condition = where.visible(viewer, filter_)
    rows = (
        Message.objects.filter(condition, group__isnull=False)
        .order_by()
        .values_list("group")
        .annotate(count=Count("*"), first=Min("failed_at"), last=Max("failed_at"))
    )
    roots = merged()
    found: dict[int, _Seen] = {}
    for id_, count, first, last in rows:
        root = roots.get(id_, id_)
        one = found.get(root)
        found[root] = (
            _Seen(count, first, last)
            if one is None
            else _Seen(one.count + count, min(one.first, first), max(one.last, last))
        )
    return found


def _groups(viewer: Viewer, rows: Sequence[ErrorGroup], seen: dict[int, _Seen] | None) -> Iterable[Group]:
    parts: dict[int, list[ErrorGroup]] = {one.id: [one] for one in rows}
    for part in ErrorGroup.objects.filter(merged_into__in=[*parts]):
        if part.merged_into_id is not None:
            parts[part.merged_into_id].append(part)
    today = datetime.now(UTC).date()
    begin = today - timedelta(days=DAYS - 1)
    days = _days(viewer, parts, begin, seen is None)
    for row in rows:
        all_ = parts[row.id]
        one = (
            _Seen(
                sum(part.count for part in all_),
                min(part.first_seen for part in all_),
                max(part.last_seen for part in all_),
            )
            if seen is None
            else seen[row.id]
        )
        yield Group(
            id=row.id,
            task=row.task,
            kind=row.kind,
            title=row.title,
            status=row.status,
            status_by=row.status_by,
            status_at=row.status_at,
            status_note=row.status_note,
            regressed_at=row.regressed_at,
            first_seen=one.first,
            last_seen=one.last,
            count=one.count,
            days=tuple(days[row.id, begin + timedelta(days=number)] for number in range(DAYS)),
            merged=tuple(part.id for part in all_[1:]),
        )


def _days(
    viewer: Viewer, parts: dict[int, list[ErrorGroup]], begin: date, all_failures: bool
) -> Counter[tuple[int, date]]:
    """Give by group and day how much there was."""
    root = {part.id: id_ for id_, all_ in parts.items() for part in all_}
    found: Counter[tuple[int, date]] = Counter()
    if all_failures:
        for one in ErrorDay.objects.filter(group__in=[*root], day__gte=begin):
            found[root[one.group_id], one.day] += one.count
        return found
    condition = where.visible(viewer, Filter())
    rows = (
        Message.objects.filter(condition, group__in=[*root], failed_at__date__gte=begin)
        .order_by()
        .values_list("group", TruncDate("failed_at", tzinfo=UTC))
        .annotate(number=Count("*"))
    )
    for id_, day, number in rows:
        found[root[id_], day] += number
    return found
