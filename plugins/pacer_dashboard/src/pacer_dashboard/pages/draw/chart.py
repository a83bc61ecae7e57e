"""What a chart shows, before it is drawn: points of time, and at each of them a figure of some lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from attrs import field, frozen
from django.utils import timezone

from pacer_dashboard.pages.text import duration, number


@frozen
class Line:
    """The figures of one thing; ``None`` where there is none, which is not 0.

    ``style`` is the CSS class of its colour: ``good``, ``warn``, ``bad``, ``series-1`` to ``series-6``.
    """

    name: str
    values: tuple[float | None, ...]
    style: str


@frozen
class Chart:
    """Lines over time. ``step`` is the time between two points; ``form`` writes a figure."""

    title: str
    times: tuple[datetime, ...]
    step: timedelta
    lines: tuple[Line, ...]
    form: Callable[[float | None], str] = number
    csv: str = ""
    rows: tuple[tuple[str, tuple[str, ...]], ...] = field(init=False)

    @rows.default
    def _rows(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Give the table: for each time what it is called, and the figure of each line."""
        return tuple(
            (label(time, self.step), tuple(self.form(line.values[at]) for line in self.lines))
            for at, time in enumerate(self.times)
        )

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(value for line in self.lines for value in line.values)


@frozen
class Scale:
    """Where a value is on the axis, from 0 (bottom) to 1 (top); and where its lines are."""

    top: float
    ticks: tuple[float, ...]
    bottom: float = 0.0  # above 0: logarithmic

    def place(self, value: float) -> float:
        """Give the height of a value."""
        if self.bottom > 0:
            span = math.log(self.top / self.bottom)
            return min(max(math.log(max(value, self.bottom) / self.bottom) / span, 0.0), 1.0)
        return min(max(value / self.top, 0.0), 1.0)


def linear(largest: float, *, whole: bool = True) -> Scale:
    """Give a scale from 0 whose two to five lines are at 1, 2 or 5 times a power of ten."""
    if largest <= 0:
        return Scale(1.0, (0.0, 1.0))
    step = 10.0 ** math.floor(math.log10(largest / 4))
    step = next(step * times for times in (1, 2, 5, 10) if largest / (step * times) <= 4)
    if whole:
        step = max(step, 1.0)
    lines = max(math.ceil(largest / step - 1e-9), 1)
    return Scale(step * lines, tuple(step * at for at in range(lines + 1)))


def logarithmic(smallest: float, largest: float) -> Scale:
    """Give a scale of powers of ten around what is to be shown, for figures above 0."""
    low = math.floor(math.log10(max(smallest, 1e-4)))
    high = max(math.ceil(math.log10(max(largest, 1e-4)) - 1e-9), low + 1)
    return Scale(10.0**high, tuple(10.0**power for power in range(low, high + 1)), 10.0**low)


def label(time: datetime, step: timedelta) -> str:
    """Call a point of time as it is useful between points of such a distance."""
    local = timezone.localtime(time)
    if step >= timedelta(days=28):
        return f"{local:%Y-%m}"
    if step >= timedelta(days=1):
        return f"{local:%Y-%m-%d}"
    return f"{local:%Y-%m-%d %H:%M}" if step >= timedelta(hours=1) else f"{local:%H:%M:%S}"


def short_label(time: datetime, step: timedelta, span: timedelta) -> str:
    """Call a point of time on an axis, where its neighbours say the rest."""
    local = timezone.localtime(time)
    if step < timedelta(days=1) and span <= timedelta(days=2):
        return f"{local:%H:%M}"
    return f"{local:%Y-%m}" if span > timedelta(days=200) else f"{local.day} {local:%b}"


def lengths(seconds: float | None) -> str:
    """Write a figure that is a length of time."""
    return duration(seconds)


def percent(share: float | None) -> str:
    """Write a figure that is a share, from 0 to 1."""
    if share is None:
        return ""
    return f"{share * 100:.1f} %" if 0 < share < 0.1 else f"{share * 100:.0f} %"


def peaks(values: Sequence[float | None]) -> float:
    """Give the largest of some figures, 0 where there is none."""
    return max((value for value in values if value is not None), default=0.0)
