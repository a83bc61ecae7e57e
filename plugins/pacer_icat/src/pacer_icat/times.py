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

    A naive time is one of the facility's zone, and ICAT's database keeps them all by that clock. So an hour
    that happens twice in autumn is the later one, whatever was said, and a time that is left out in spring
    moves forward.
    """
    shown = time if time.tzinfo is None else local(time, zone).replace(tzinfo=None)
    # The zone's offset before a change of clocks, and after it; ICAT takes the smaller one in both seasons.
    return max(_readings(shown.replace(microsecond=0), zone))


def period(start: datetime, end: datetime, zone: tzinfo | None) -> tuple[datetime, datetime]:
    """Give a start and an end as ICAT can keep them, in their order where there is a reading that is.

    Where clocks change, `stored` may put a start behind its end. Then the start is the earlier reading, or
    the end, where that reading is one that ICAT cannot keep. An end that is before its start in spite of it
    is given so, and it is the caller's to refuse it.
    """
    first, last = stored(start, zone), stored(end, zone)
    if first <= last or (_is_left_out(start, zone) and _is_left_out(end, zone)):
        return first, last  # in order; or both by a clock that nobody has put forward
    earliest = min(_meanings(start, zone))
    if earliest > max(_meanings(end, zone)):
        return first, last
    return (earliest if earliest == stored(earliest, zone) else last), last


def local(time: datetime, zone: tzinfo | None) -> datetime:
    """Give an aware time by the facility's clock."""
    return time.astimezone(zone)


def storable(time: datetime) -> bool:
    """Tell whether ICAT can hold a time."""
    return EARLIEST_YEAR <= time.year <= LATEST_YEAR


def _meanings(time: datetime, zone: tzinfo | None) -> tuple[datetime, ...]:
    """Give all that a time may mean, in UTC and whole seconds."""
    time = time.replace(microsecond=0)
    return _readings(time, zone) if time.tzinfo is None else (time.astimezone(UTC),)


def _readings(time: datetime, zone: tzinfo | None) -> tuple[datetime, datetime]:
    """Give what a time without an offset may mean, in UTC: by the offset before a change, and after it."""
    before, after = (_localised(time.replace(fold=fold), zone).astimezone(UTC) for fold in (0, 1))
    return before, after


def _is_left_out(time: datetime, zone: tzinfo | None) -> bool:
    """Tell whether no clock shows a time, since it is put forward past it."""
    if time.tzinfo is not None:
        return False
    before, after = _readings(time, zone)
    return before > after


def _localised(time: datetime, zone: tzinfo | None) -> datetime:
    return time.astimezone() if zone is None else time.replace(tzinfo=zone)
