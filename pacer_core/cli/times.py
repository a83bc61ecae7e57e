"""Times and spans of time as a person reads them."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.text import Text


def when(time: datetime | None) -> Text:
    """Give a time as a person in this place wants it in a table."""
    if time is None:
        return Text("unknown", style="dim")
    here = time.astimezone()
    now = datetime.now(UTC).astimezone()
    return Text(f"{here:%d %b %H:%M}" if here.year == now.year else f"{here:%d %b %Y}")


def local(time: datetime | None) -> str:
    """Give a time whole, as the clocks of this place show it."""
    return "unknown" if time is None else f"{time.astimezone():%Y-%m-%d %H:%M:%S %Z}"


def age(time: datetime | None) -> str:
    """Say in brackets how long ago a time is; nothing of one that is unknown."""
    if time is None:
        return ""
    return f"({spell(max((datetime.now(UTC) - time).total_seconds(), 0))} ago)"


def spell(seconds: float) -> str:
    """Give a time of some seconds in the unit that fits it."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size or seconds == size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
