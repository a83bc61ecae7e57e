"""Times as the real server keeps them: whole seconds of its own local time.

A time is held as seconds since the epoch. The database behind ICAT stores local wall-clock time, so a
time within the hour that autumn repeats comes back as winter time, and one before October 1582 comes
back with the day of the old calendar.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
GREGORIAN = -12219292800
"""15 October 1582, where the calendar changed."""
Y1900 = -2208988800
"""The first second of 1900."""
LATEST = 253402300799
"""The last second of the year 9999 in UTC; the database can store no later local time."""

_COMMON = re.compile(r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d(?:Z|[+-]\d\d:\d\d)?")
_LEXICAL = re.compile(
    r"""(?:(?P<date>(?P<year>-?\d{4,})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d))?)?)(?:T(?=\d))?)?
        (?P<time>(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:\.\d+)?)?
        (?P<zone>Z|[+-]\d\d:\d\d)?""",
    re.VERBOSE,
)
_REST = re.compile(r"(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)\.(\d+)(Z|[+-]\d\d:\d\d)")


@lru_cache(maxsize=8192)
def from_xml(text: str, zone: ZoneInfo) -> int | None:
    """Read an ``xs:dateTime`` as JAXB does, or ``None`` where it cannot be read.

    A date or a time alone is read too; without a zone it is in ``zone``. Fractions are cut off.
    """
    text = text.strip()
    try:
        moment = datetime.fromisoformat(text) if _COMMON.fullmatch(text) else _lexical(text)
    except (ValueError, OverflowError):
        return None
    if moment is None:
        return None
    if moment.tzinfo is None:
        return stored(local_to_seconds(moment.replace(microsecond=0), zone), zone)
    return stored(_seconds(moment), zone)


@lru_cache(maxsize=8192)
def from_json(text: str, zone: ZoneInfo) -> int | None:
    """Read a time of the REST interface (milliseconds and zone are mandatory), or ``None``."""
    found = _REST.match(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, millis = map(int, found.groups()[:7])
    try:
        moment = datetime(year, 1, 1, tzinfo=UTC)
    except ValueError:
        return None
    # The reader there is lenient: the 32nd of January is the first of February.
    moment += timedelta(days=day - 1, hours=hour, minutes=minute, seconds=second, milliseconds=millis)
    moment += _months(year, month)
    return stored(_seconds(moment) - _offset(found.group(8)), zone)


def to_xml(seconds: int, zone: ZoneInfo) -> str:
    """Write a time as an ``xs:dateTime`` with the server's offset."""
    return to_local(seconds, zone).isoformat(timespec="seconds")


def to_json(seconds: int, zone: ZoneInfo) -> str:
    """Write a time for the REST interface, with milliseconds and zone."""
    return to_local(seconds, zone).isoformat(timespec="milliseconds")


def to_local(seconds: int, zone: ZoneInfo) -> datetime:
    """Return the local time of the server for seconds since the epoch."""
    return (EPOCH + timedelta(seconds=seconds)).astimezone(_zone_of(seconds, zone))


def local_to_seconds(moment: datetime, zone: ZoneInfo) -> int:
    """Return the seconds of a local time: winter time where there are two, an hour on where there is none."""
    if moment.year < 1900:
        return _seconds(moment.replace(tzinfo=_zone_of(Y1900 - 1, zone)))
    earlier, later = moment.replace(tzinfo=zone, fold=0), moment.replace(tzinfo=zone, fold=1)
    offset = earlier.utcoffset() or timedelta()
    if offset > (later.utcoffset() or timedelta()):  # autumn
        earlier = later
    return _seconds(earlier)


def stored(seconds: int, zone: ZoneInfo) -> int:
    """Return what the database gives back for a time that it is given."""
    if seconds >= LATEST - 86400 or seconds < GREGORIAN:
        return _extreme(seconds)
    local = to_local(seconds, zone)
    if local.fold or not _ambiguous(local):
        return seconds
    return local_to_seconds(local.replace(tzinfo=None), zone)


def storable(seconds: int, zone: ZoneInfo) -> bool:
    """Tell whether the database can hold a time: its local year has four digits."""
    if seconds < LATEST - 86400:
        return True
    offset = to_local(LATEST - 2 * 86400, zone).utcoffset() or timedelta()
    return seconds + offset.total_seconds() <= LATEST


def _zone_of(seconds: int, zone: ZoneInfo) -> tzinfo:
    """Java knows no local mean time: before 1900 its zones have the offset that 1900 began with."""
    if seconds >= Y1900:
        return zone
    return timezone(datetime(1900, 1, 1, tzinfo=zone).utcoffset() or timedelta())


def _ambiguous(local: datetime) -> bool:
    return local.utcoffset() != local.replace(fold=1).utcoffset()


def _extreme(seconds: int) -> int:
    if seconds >= GREGORIAN:
        return seconds
    # The day number of the old calendar is read back as a day of the new one.
    days, rest = divmod(seconds, 86400)
    number = days + 2440588 + 32082  # Richards' algorithm for the Julian calendar
    century = (4 * number + 3) // 1461
    of_year = number - (1461 * century) // 4
    m = (5 * of_year + 2) // 153
    day = of_year - (153 * m + 2) // 5 + 1
    month = m + 3 - 12 * (m // 10)
    year = century - 4800 + m // 10
    try:
        date = datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        return seconds
    return _seconds(date) + rest


def _seconds(moment: datetime) -> int:
    delta = moment - EPOCH
    return delta.days * 86400 + delta.seconds


def _lexical(text: str) -> datetime | None:
    found = _LEXICAL.fullmatch(text)
    if found is None or not (found["date"] or found["time"]):
        return None
    year, month, day = int(found["year"] or 1970), int(found["month"] or 1), int(found["day"] or 1)
    moment = datetime(year, month, day)  # noqa: DTZ001 - the zone comes below
    hour = int(found["hour"] or 0)
    if hour > 24 or int(found["minute"] or 0) > 59 or int(found["second"] or 0) > 59:
        return None
    moment += timedelta(hours=hour, minutes=int(found["minute"] or 0), seconds=int(found["second"] or 0))
    if found["zone"]:
        return moment.replace(tzinfo=UTC) - timedelta(seconds=_offset(found["zone"]))
    return moment


def _offset(zone: str) -> int:
    if zone == "Z":
        return 0
    sign = -1 if zone[0] == "-" else 1
    return sign * (int(zone[1:3]) * 3600 + int(zone[4:6]) * 60)


def _months(year: int, month: int) -> timedelta:
    years, index = divmod(month - 1, 12)
    return datetime(year + years, index + 1, 1, tzinfo=UTC) - datetime(year, 1, 1, tzinfo=UTC)
