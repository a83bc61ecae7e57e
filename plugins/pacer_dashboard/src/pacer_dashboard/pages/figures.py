"""Charts and tables of the statistics page, out of what the query layer gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import frozen
from django.utils.translation import gettext

from pacer_dashboard.pages.draw.chart import Chart, Line, label, lengths
from pacer_dashboard.pages.draw.heat import Heat, heat
from pacer_dashboard.query.filters import Filter
from pacer_dashboard.query.statistics import By, Numbers, Series, Step, Times, series, table
from pacer_dashboard.query.viewer import Viewer

MOST = 5
"""Types that have a line of their own; the others are one together."""
CELLS = 48
"""Cells that a line of the heat map has at most; a longer time has some steps in one."""
STEPS = {Step.HOUR: timedelta(hours=1), Step.DAY: timedelta(days=1), Step.MONTH: timedelta(days=30)}


@frozen
class Span:
    """A time that is looked at: ``hours`` until now, in steps."""

    name: str
    hours: int
    step: Step

    def since(self, until: datetime) -> datetime:
        """Give when it begins."""
        return until - timedelta(hours=self.hours)


SPANS = (
    Span("hour", 1, Step.HOUR),
    Span("day", 24, Step.HOUR),
    Span("week", 7 * 24, Step.HOUR),
    Span("month", 30 * 24, Step.DAY),
    Span("quarter", 91 * 24, Step.DAY),
    Span("year", 365 * 24, Step.MONTH),
)


@frozen
class Asked:
    """Who asks for what."""

    viewer: Viewer
    filter: Filter
    since: datetime
    until: datetime
    step: Step

    def over_time(self, by: By | None = None) -> Series:
        """Ask for a series."""
        return series(self.viewer, self.filter, self.since, self.until, self.step, by)

    def lines(self, by: By) -> dict[str, Numbers]:
        """Ask for a table."""
        return dict(table(self.viewer, self.filter, self.since, self.until, by).lines)


def outcomes(asked: Asked, answer: Series) -> Chart:
    """Chart deliveries by what became of them."""
    return _chart(
        gettext("Deliveries"),
        answer,
        [
            (gettext("done"), lambda one: one.acked, "good"),
            (gettext("retried"), lambda one: one.retried, "warn"),
            (gettext("dead"), lambda one: one.dead, "bad"),
        ],
    )


def processing(asked: Asked, answer: Series) -> Chart:
    """Chart how long deliveries took."""
    return _times(gettext("Processing time"), answer, lambda one: one.processing)


def queueing(asked: Asked, answer: Series) -> Chart:
    """Chart how long messages waited for their first attempt."""
    return _times(gettext("Time in the queue"), answer, lambda one: one.queueing)


def by_type(asked: Asked, answer: Series) -> Chart:
    """Chart messages that arrived, of the most frequent types."""
    counts = {name: [one.numbers.messages for one in points] for name, points in answer.lines.items()}
    ranked = sorted(counts, key=lambda name: -sum(counts[name]))
    lines = [
        Line(name or "?", tuple(counts[name]), f"series-{at + 1}") for at, name in enumerate(ranked[:MOST])
    ]
    if len(ranked) > MOST:
        rest = zip(*(counts[name] for name in ranked[MOST:]), strict=True)
        lines.append(Line(gettext("others"), tuple(sum(column) for column in rest), "series-6"))
    return Chart(gettext("Messages by type"), _begins(answer), STEPS[answer.step], tuple(lines))


def failures(asked: Asked, answer: Series) -> Heat:
    """Map the share of deliveries that failed, by type and time."""
    begins = [label(one, STEPS[answer.step]) for one in _begins(answer)]
    together = -(-len(begins) // CELLS) or 1
    starts = range(0, len(begins), together)
    counts = {
        name: [
            (
                sum(one.numbers.errors for one in points[at : at + together]),
                sum(one.numbers.sights for one in points[at : at + together]),
            )
            for at in starts
        ]
        for name, points in answer.lines.items()
    }
    begins = [begins[at] for at in starts]
    return heat(gettext("Share of deliveries that failed"), begins, counts)


SERIES: dict[str, tuple[By | None, Callable[[Asked, Series], Chart]]] = {
    "outcomes": (None, outcomes),
    "types": (By.TYPE, by_type),
    "processing": (None, processing),
    "queueing": (None, queueing),
}
"""Charts by their names in addresses."""
TABLES = {"by-type": By.TYPE, "by-consumer": By.CONSUMER, "by-instrument": By.INSTRUMENT, "by-task": By.TASK}
"""Tables by their names in addresses."""
COLUMNS: tuple[tuple[str, Callable[[Numbers], float | None], str], ...] = (
    ("messages", lambda one: one.messages, "number"),
    ("deliveries", lambda one: one.sights, "number"),
    ("retried", lambda one: one.retried, "number"),
    ("dead", lambda one: one.dead, "number"),
    ("failed", lambda one: one.error_rate, "share"),
    ("p50", lambda one: one.processing.p50, "time"),
    ("p95", lambda one: one.processing.p95, "time"),
    ("p99", lambda one: one.processing.p99, "time"),
)
"""What a table has of each line, and how that is written; of tasks the first and the third say nothing."""


def csv_of_chart(chart: Chart) -> Iterator[Sequence[Any]]:
    """Give a chart as lines of a file: times in ISO 8601, figures as numbers."""
    yield ["time", *(line.name for line in chart.lines)]
    for at, time in enumerate(chart.times):
        yield [time.isoformat(), *(_blank(line.values[at]) for line in chart.lines)]


def csv_of_heat(map_: Series) -> Iterator[Sequence[Any]]:
    """Give a heat map as lines of a file."""
    yield ["type", "time", "failed", "deliveries"]
    for name, points in map_.lines.items():
        for one in points:
            yield [name, one.begin.isoformat(), one.numbers.errors, one.numbers.sights]


def csv_of_table(lines: dict[str, Numbers]) -> Iterator[Sequence[Any]]:
    """Give a table as lines of a file; times in seconds."""
    yield ["name", *(name for name, _, _ in COLUMNS)]
    for name, numbers in lines.items():
        yield [name, *(_blank(of(numbers)) for _, of, _ in COLUMNS)]


def _blank(value: float | None) -> float | str:
    return "" if value is None else value


def _begins(answer: Series) -> tuple[datetime, ...]:
    return next((tuple(one.begin for one in points) for points in answer.lines.values()), ())


def _chart(
    title: str,
    answer: Series,
    lines: Sequence[tuple[str, Callable[[Numbers], float | None], str]],
    **more: Any,
) -> Chart:
    points = answer.lines.get("", ())
    return Chart(
        title,
        tuple(one.begin for one in points),
        STEPS[answer.step],
        tuple(Line(name, tuple(of(one.numbers) for one in points), style) for name, of, style in lines),
        **more,
    )


def _times(title: str, answer: Series, of: Callable[[Numbers], Times]) -> Chart:
    return _chart(
        title,
        answer,
        [
            ("p50", lambda one: of(one).p50, "series-1"),
            ("p95", lambda one: of(one).p95, "series-2"),
            ("p99", lambda one: of(one).p99, "series-3"),
        ],
        form=lengths,
    )
