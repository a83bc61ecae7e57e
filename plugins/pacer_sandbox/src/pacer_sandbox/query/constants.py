"""Constants become what they are compared with, as the real server's persistence layer converts them.

Source: EclipseLink's conversion of a literal to the type of the attribute on the other side. What cannot
be converted is the real server's INTERNAL.
"""

import math
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pacer_sandbox import times
from pacer_sandbox.errors import IcatError
from pacer_sandbox.query.scope import Stored

NUMBERS = frozenset({"Long", "Integer", "Double", "BigDecimal"})
_TRUE, _FALSE = {"t", "true", "1"}, {"f", "false", "0"}
_WHOLE = re.compile(r"[+-]?\d+")
_SEPARATORS = re.compile(r"[ /:.-]+")


def convert(value: Stored, kind: str, of: str, zone: ZoneInfo) -> Stored:
    """Return a constant of type ``of`` as a value of an attribute of type ``kind``.

    Raise ``IcatError`` INTERNAL where there is no such value.
    """
    if of == kind or value is None:
        return value
    converted: Stored = None
    if kind == "String":
        converted = _text(value, of)
    elif kind in ("Long", "Integer"):
        converted = _whole(value)
    elif kind == "Double":
        converted = _real(value)
    elif kind == "boolean":
        converted = _truth(value)
    elif kind == "Date":
        converted = _moment(value, zone)
    if converted is None:
        raise IcatError("INTERNAL", f"The object [{value}], of type {of}, could not be converted to {kind}")
    return converted


def timestamp(text: str, zone: ZoneInfo) -> int:
    """Return the seconds of ``yyyy-mm-dd hh:mm:ss`` in local time.

    The 32nd of January is the first of February.
    """
    year, month, day, hour, minute, second = (int(part) for part in re.split(r"[- :]", text))
    years, month = divmod(month - 1, 12)
    moment = datetime(max(year + years, 1), month + 1, 1, tzinfo=UTC)
    moment += timedelta(days=day - 1, hours=hour, minutes=minute, seconds=second)
    return times.stored(times.local_to_seconds(moment.replace(tzinfo=None), zone), zone)


def java_text(value: float) -> str:
    """Return a real number as Java writes it."""
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    mantissa, exponent = f"{value:e}".split("e")
    shortest = repr(value).split("e")[0] if "e" in repr(value) else mantissa.rstrip("0")
    return f"{shortest if '.' in shortest else shortest + '.0'}E{int(exponent)}"


def _text(value: Stored, of: str) -> str:
    if of == "boolean":
        return "true" if value else "false"
    return java_text(value) if isinstance(value, float) else str(value)


def _whole(value: Stored) -> int | None:
    if isinstance(value, str):
        return int(value) if _WHOLE.fullmatch(value) else None
    if isinstance(value, float):
        return math.trunc(value) if math.isfinite(value) else None
    return value


def _real(value: Stored) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def _truth(value: Stored) -> int | None:
    if isinstance(value, str):
        return 1 if value.lower() in _TRUE else 0 if value.lower() in _FALSE else None
    return None if value is None else int(int(value) != 0)


def _moment(value: Stored, zone: ZoneInfo) -> int | None:
    if not isinstance(value, str):
        return None if value is None else int(value) // 1000
    if not set(value) & set("-/.:"):
        return None
    try:
        parts = [int(part) for part in _SEPARATORS.split(value.strip(" /:.-"))][:6]
    except ValueError:
        return None
    if len(parts) < 3:
        return None
    year, month, day, *clock = parts
    hour, minute, second = (*clock, 0, 0, 0)[:3]
    return timestamp(f"{year}-{month}-{day} {hour}:{minute}:{second}", zone)
