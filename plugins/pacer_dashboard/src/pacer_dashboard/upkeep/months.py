"""Partitions: made ahead, filled with what came before them, and dropped when their time is over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection, transaction

from pacer_core import ServiceContext
from pacer_dashboard import partitions
from pacer_dashboard.alone import alone
from pacer_dashboard.models import Identifier, Life, Message, Payload, Sight
from pacer_dashboard.options import DashboardUpkeepOptions
from pacer_dashboard.store import clock

_OLDEST, _AHEAD = 30, 24  # years and months in which a message may have arrived for its month to be made
_SLICE = 2000


def make(ctx: ServiceContext) -> None:
    """Make the partitions of this month, of those to come, and of those that rows wait for in a rest."""
    options: DashboardUpkeepOptions = ctx.options
    made, moved = ensure(options.months_ahead)
    ctx.count("partitions_made", made)
    ctx.count("rows_moved", moved)


def drop(ctx: ServiceContext) -> None:
    """Drop what is older than the options say."""
    options: DashboardUpkeepOptions = ctx.options
    parts, rows = forget(options.successes, options.errors, options.payloads)
    ctx.count("partitions_dropped", parts)
    ctx.count("rows_deleted", rows)


@alone()
def ensure(ahead: int, today: date | None = None) -> tuple[int, int]:
    """Make partitions, where the database has such; give how many, and how many rows moved into them."""
    if connection.vendor != "postgresql":
        return 0, 0
    this = (today or datetime.now(UTC).date()).replace(day=1)
    wanted = {*partitions.months(this, partitions.following(this, ahead))}
    earliest, latest = partitions.following(this, -12 * _OLDEST), partitions.following(this, _AHEAD)
    made = moved = 0
    for table in partitions.TABLES:
        for half in partitions.HALVES:
            waiting = {one for one in _waiting(table, half) if earliest <= one <= latest}
            for month in sorted((wanted | waiting) - _there(table, half).keys()):
                made += 1
                moved += _make(table, half, month)
    return made, moved


def _there(table: str, half: str) -> Mapping[date, str]:
    """Give the months that a half has, with the names of their partitions."""
    prefix = partitions.half_name(table, half) + "_"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid "
            "WHERE inhparent = to_regclass(%s)",
            [partitions.half_name(table, half)],
        )
        names = [name.removeprefix(prefix) for (name,) in cursor.fetchall()]
    return {
        date(int(one[:4]), int(one[4:]), 1): prefix + one for one in names if len(one) == 6 and one.isdigit()
    }


def _waiting(table: str, half: str) -> Iterable[date]:
    """Give the months of the rows in a half's rest."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT date_trunc('month', arrived AT TIME ZONE 'UTC')::date "  # noqa: S608 - our own names
            f'FROM "{partitions.part_name(table, half, None)}"'
        )
        return [month for (month,) in cursor.fetchall()]


def _make(table: str, half: str, month: date) -> int:
    """Make a month, with what of it is in the rest; give how many rows that are. Nobody writes meanwhile."""
    name, rest = partitions.part_name(table, half, month), partitions.part_name(table, half, None)
    begin, end = (partitions.begins(one) for one in (month, partitions.following(month)))
    with transaction.atomic(), connection.cursor() as cursor:
        _wait_no_longer(cursor)
        cursor.execute(f'CREATE TABLE "{name}" (LIKE "{table}" INCLUDING DEFAULTS INCLUDING CONSTRAINTS)')
        cursor.execute(
            f'WITH moved AS (DELETE FROM "{rest}" WHERE arrived >= %s AND arrived < %s RETURNING *) '  # noqa: S608
            f'INSERT INTO "{name}" SELECT * FROM moved',
            [begin, end],
        )
        moved = int(cursor.rowcount)
        cursor.execute(
            f'ALTER TABLE "{partitions.half_name(table, half)}" ATTACH PARTITION "{name}" '
            f"FOR VALUES FROM ('{begin.isoformat()}') TO ('{end.isoformat()}')"
        )
    return moved


def _wait_no_longer(cursor: Any) -> None:
    """Keep others from writing; and give up soon where somebody reads, as all that come wait behind us."""
    cursor.execute("SET LOCAL lock_timeout = '5s'")
    clock.take(0)


def forget(
    successes: timedelta, errors: timedelta, payloads: timedelta, now: datetime | None = None
) -> tuple[int, int]:
    """Drop whole months that ended before their time; give how many partitions and how many rows went."""
    now = now or datetime.now(UTC)
    parts = rows = 0
    for half, troubled in partitions.HALVES.items():
        keep = errors if troubled else successes
        for table in partitions.TABLES:
            last = now - (min(keep, payloads) if table.endswith("payload") else keep)
            parts += _drop(table, half, last)
        rows += _delete(troubled, partitions.month_of(now - min(keep, payloads)), payloads_alone=True)
        rows += _delete(troubled, partitions.month_of(now - keep), payloads_alone=False)
    return parts, rows


def _drop(table: str, half: str, last: datetime) -> int:
    """Drop the months that ended before a time."""
    if connection.vendor != "postgresql":
        return 0
    old = [
        name
        for month, name in _there(table, half).items()
        if partitions.begins(partitions.following(month)) <= last
    ]
    for name in old:
        with transaction.atomic(), connection.cursor() as cursor:
            _wait_no_longer(cursor)
            cursor.execute(f'DROP TABLE "{name}"')
    return len(old)


def _delete(troubled: bool, month: date, *, payloads_alone: bool) -> int:
    """Delete what arrived before a month, where no partition held it; a slice at a time."""
    before = partitions.begins(month)
    deleted = 0
    for model in (Payload,) if payloads_alone else (Sight, Identifier, Message, Life):
        while True:
            with transaction.atomic():
                clock.take(0)
                chosen = model._default_manager.filter(arrived__lt=before, troubled=troubled)
                keys = [*chosen.values_list("pk", flat=True)[:_SLICE]]
                if not keys:
                    break
                deleted += model._default_manager.filter(pk__in=keys).delete()[0]
    return deleted
