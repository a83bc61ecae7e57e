"""Times as ICAT stores them: whole seconds, and in the facility's zone where none is given."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

EARLIEST_YEAR = 1583
LATEST_YEAR = 9998
"""Before 1583 ICAT shifts dates by the calendar reform; 9999-12-31 it cannot store."""


def zone_of(name: str | None) -> ZoneInfo | None:
    """Give the zone of an IANA name; ``None`` stands for this machine's own.

    Raises
    ------
    ValueError
        For a name that is no zone.
    """
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone; write one like Europe/Madrid") from None


def stored(time: datetime, zone: tzinfo | None) -> datetime:
    """Give a time as ICAT keeps it: cut to seconds; in UTC, where all times compare.

    A naive time is one of the facility's zone. As on an ICAT server, an hour that happens twice in autumn
    is the later one, and a time that is left out in spring moves forward.
    """
    time = time.replace(microsecond=0)
    if time.tzinfo is not None:
        return time.astimezone(UTC)
    first, second = (_localised(time.replace(fold=fold), zone) for fold in (0, 1))
    # The zone's offset before a change of clocks, and after it; ICAT takes the smaller one in both seasons.
    return max(first.astimezone(UTC), second.astimezone(UTC))


def local(time: datetime, zone: tzinfo | None) -> datetime:
    """Give an aware time by the facility's clock."""
    return time.astimezone(zone)


def storable(time: datetime) -> bool:
    """Tell whether ICAT can hold a time."""
    return EARLIEST_YEAR <= time.year <= LATEST_YEAR


def _localised(time: datetime, zone: tzinfo | None) -> datetime:
    return time.astimezone() if zone is None else time.replace(tzinfo=zone)
