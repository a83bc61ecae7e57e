"""When an alert is raised, and when it is over: a value has to stay above a limit, and to come below another.

Between the two limits nothing changes, so that a value that goes up and down by a little tells nobody twice.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from attrs import evolve, frozen

What = Literal["raised", "still", "over"]


@frozen
class Limits:
    """Above ``raise_at`` for ``lasting``: raised; at ``clear_at`` or below: over; ``repeat`` tells again."""

    raise_at: float
    clear_at: float
    lasting: timedelta = timedelta(0)
    repeat: timedelta = timedelta(hours=24)


@frozen
class Standing:
    """How a rule stands: since when it is above its limit, raised, and when somebody was told last."""

    above_since: datetime | None = None
    raised_at: datetime | None = None
    told_at: datetime | None = None


def step(
    standing: Standing, value: float | None, limits: Limits, now: datetime
) -> tuple[Standing, What | None]:
    """Give how a rule stands with a new value, and what there is to tell; unknown values change nothing."""
    if value is None:
        return standing, None
    if standing.raised_at is not None:
        if value <= limits.clear_at:
            return Standing(), "over"
        if standing.told_at is not None and now - standing.told_at < limits.repeat:
            return standing, None
        return evolve(standing, told_at=now), "still"
    if value <= limits.raise_at:
        return Standing(), None
    above = standing.above_since or now
    if now - above < limits.lasting:
        return Standing(above_since=above), None
    return Standing(above, raised_at=now, told_at=now), "raised"
