"""The dates of a message: what is wrong with them, and what is stored of them."""

from __future__ import annotations

import logging
from datetime import datetime, tzinfo

from pacer_core import BadField
from pacer_icat.times import period, storable, stored

log = logging.getLogger("pacer.icat")


def check_dates(start: datetime, end: datetime) -> list[BadField]:
    """Give the bad fields among ``start_date`` and ``end_date``: those that ICAT cannot store."""
    dates = {"start_date": start, "end_date": end}
    return [
        BadField(field, "is a date that ICAT cannot store")
        for field, time in dates.items()
        if not storable(time)
    ]


def check_period(start: datetime, end: datetime, zone: tzinfo | None) -> list[BadField]:
    """Give the bad fields among ``start_date`` and ``end_date``, an end before the start among them."""
    bad = check_dates(start, end)
    if not bad:
        first, last = period(start, end, zone)
        if last < first:
            bad.append(BadField("end_date", "is before start_date"))
    return bad


def kept_period(start: datetime, end: datetime, zone: tzinfo | None, whose: str) -> tuple[datetime, datetime]:
    """Give start and end as they are stored, never an end before its start; log what is changed for it."""
    first, last = period(start, end, zone)
    if last < first:
        log.warning(
            "%s: its end, %s, is before its start, %s, which is stored as its end as well",
            whose,
            last.isoformat(),
            first.isoformat(),
        )
        return first, first
    if first != stored(start, zone):
        log.warning(
            "%s: clocks change between its start and its end, and its start is stored as %s",
            whose,
            first.isoformat(),
        )
    return first, last
