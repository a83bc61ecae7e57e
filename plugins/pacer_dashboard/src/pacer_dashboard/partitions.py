"""PostgreSQL's partitions: each table by trouble, and within that by month, aligned to months in UTC.

``pacer_dashboard_message`` has the halves ``..._calm`` and ``..._troubled``; each of them has its months,
such as ``..._calm_202601``, and a ``..._calm_rest`` for what arrives in a month that has none, until `upkeep`
makes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

TABLES = (
    "pacer_dashboard_message",
    "pacer_dashboard_sight",
    "pacer_dashboard_payload",
    "pacer_dashboard_identifier",
)
HALVES = {"calm": False, "troubled": True}
"""What the halves are called, and the value of ``troubled`` in them."""
REST = "rest"


def month_of(time: datetime) -> date:
    """Give the first day of a time's month, in UTC."""
    return time.astimezone(UTC).date().replace(day=1)


def following(month: date, months: int = 1) -> date:
    """Give the first day of the month that comes so many after another; a negative number goes back."""
    years, index = divmod(month.month - 1 + months, 12)
    return date(month.year + years, index + 1, 1)


def months(first: date, last: date) -> Iterator[date]:
    """Give the months from one to another, both of them included."""
    while first <= last:
        yield first
        first = following(first)


def begins(month: date) -> datetime:
    """Give the first moment of a month."""
    return datetime(month.year, month.month, 1, tzinfo=UTC)


def half_name(table: str, half: str) -> str:
    """Give the name of a half of a table."""
    return f"{table}_{half}"


def part_name(table: str, half: str, month: date | None) -> str:
    """Give the name of a month of a half, or of its rest."""
    return f"{table}_{half}_{REST if month is None else f'{month:%Y%m}'}"
