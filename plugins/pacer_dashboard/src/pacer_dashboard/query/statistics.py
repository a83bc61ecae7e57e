"""Counts and times over a span, from what was added up as records came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum

from attrs import define, field, frozen
from django.db.models import Min, Q

from pacer_dashboard.histogram import bin_of, percentile
from pacer_dashboard.models import Message, Rollup, Sight
from pacer_dashboard.query import where
from pacer_dashboard.query.errors import BadFilter
from pacer_dashboard.query.filters import Filter
from pacer_dashboard.query.viewer import Right, Viewer

COUNTED_ONE_BY_ONE = 200_000
"""How many sights are looked at where there are no sums for a question."""
_NUMBERS = ("messages", "acked", "retried", "dead")


class Step(Enum):
    """How long a point of a series is; in UTC."""

    HOUR = "h"
    DAY = "d"
    MONTH = "m"


class By(Enum):
    """What a table has a line for."""

    TYPE = "type"
    CONSUMER = "consumer"
    INSTRUMENT = "instrument"
    TASK = "task"


@frozen
class Times:
    """Percentiles in seconds, each within 5 %; ``None`` where nothing was measured."""

    p50: float | None
    p95: float | None
    p99: float | None


@frozen
class Numbers:
    """What happened in a span. ``messages`` arrived in it; the others are sights that finished in it.

    Of a task: ``acked`` are the times that it ran well, ``dead`` those that it did not.
    """

    messages: int
    acked: int
    retried: int
    dead: int
    processing: Times
    queueing: Times

    @property
    def sights(self) -> int:
        """All deliveries."""
        return self.acked + self.retried + self.dead

    @property
    def errors(self) -> int:
        """Deliveries that failed."""
        return self.retried + self.dead

    @property
    def error_rate(self) -> float:
        """The part of deliveries that failed, from 0 to 1."""
        return self.errors / self.sights if self.sights else 0.0


@frozen
class Point:
    """One bucket of a series."""

    begin: datetime
    numbers: Numbers


@frozen
class Statistics:
    """An answer: ``lines`` by what they are of; ``complete`` is false where there was too much to count."""

    lines: Mapping[str, Numbers]
    complete: bool = True


@frozen
class Series:
    """An answer over time: by what they are of, points for every bucket of the span."""

    step: Step
    lines: Mapping[str, tuple[Point, ...]]
    complete: bool = True


@define
class _Sum:
    numbers: Counter[str] = field(factory=Counter)
    processing: Counter[int] = field(factory=Counter)
    queueing: Counter[int] = field(factory=Counter)

    def numbers_(self) -> Numbers:
        return Numbers(
            **{name: self.numbers[name] for name in _NUMBERS},
            processing=_times(self.processing),
            queueing=_times(self.queueing),
        )


def step_for(since: datetime, until: datetime) -> Step:
    """Give the step that suits a span: hours up to three days, days up to a hundred, else months."""
    span = until - since
    if span <= timedelta(days=3):
        return Step.HOUR
    return Step.DAY if span <= timedelta(days=100) else Step.MONTH


def total(viewer: Viewer, filter_: Filter, since: datetime, until: datetime) -> tuple[Numbers, bool]:
    """Give the numbers of a span, and whether they are complete."""
    answer = table(viewer, filter_, since, until, None)
    return answer.lines.get("", _Sum().numbers_()), answer.complete


def table(
    viewer: Viewer, filter_: Filter, since: datetime, until: datetime, by: By | None = By.TYPE
) -> Statistics:
    """Give the numbers of a span by type, consumer, instrument or task, or of all together.

    The span is widened to whole hours, days or months, as `step_for` has it; where its hours are not kept any
    more, to days.

    Raises
    ------
    BadFilter
        Where the span ends before it begins.
    """
    sums, complete = _summed(viewer, filter_, since, until, _kept(step_for(since, until), since), by)
    lines: dict[str, _Sum] = {}
    for (_, name), one in sums.items():
        _add(lines.setdefault(name, _Sum()), one)
    return Statistics({name: lines[name].numbers_() for name in sorted(lines)}, complete)


def series(
    viewer: Viewer,
    filter_: Filter,
    since: datetime,
    until: datetime,
    step: Step | None = None,
    by: By | None = None,
) -> Series:
    """Give the numbers of each hour, day or month of a span; buckets in which nothing happened are zeros.

    Where hours are asked for that are not kept any more, it is days, as the answer says.

    Raises
    ------
    BadFilter
        Where the span ends before it begins, or has more than 10 000 buckets.
    """
    step = _kept(step or step_for(since, until), since)
    begins = [*_buckets(since, until, step)]
    sums, complete = _summed(viewer, filter_, since, until, step, by)
    names = sorted({name for _, name in sums}) or ([""] if by is None else [])
    nothing = _Sum().numbers_()
    return Series(
        step,
        {
            name: tuple(
                Point(begin, sums[begin, name].numbers_() if (begin, name) in sums else nothing)
                for begin in begins
            )
            for name in names
        },
        complete,
    )


def bucket_of(time: datetime, step: Step) -> datetime:
    """Give when the bucket of a time begins."""
    hour = time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if step is Step.HOUR:
        return hour
    day = hour.replace(hour=0)
    return day if step is Step.DAY else day.replace(day=1)


def _kept(step: Step, since: datetime) -> Step:
    """Give days instead of hours, for a time of which there are sums of days alone."""
    if step is not Step.HOUR:
        return step
    hours, days = (
        Rollup.objects.filter(step=one.value).aggregate(first=Min("bucket"))["first"]
        for one in (Step.HOUR, Step.DAY)
    )
    if days is None or (hours is not None and max(since, days) >= bucket_of(hours, Step.DAY)):
        return step
    return Step.DAY


def _buckets(since: datetime, until: datetime, step: Step) -> Iterator[datetime]:
    if until <= since:
        raise BadFilter("until", "is not after since")
    begin, number = bucket_of(since, step), 0
    while begin < until:
        if (number := number + 1) > 10_000:
            raise BadFilter("step", "gives more than 10 000 points: take a longer one, or a shorter span")
        yield begin
        if step is Step.HOUR:
            begin += timedelta(hours=1)
        elif step is Step.DAY:
            begin += timedelta(days=1)
        else:
            begin = (begin + timedelta(days=32)).replace(day=1)


def _summed(
    viewer: Viewer, filter_: Filter, since: datetime, until: datetime, step: Step, by: By | None
) -> tuple[dict[tuple[datetime, str], _Sum], bool]:
    if until <= since:
        raise BadFilter("until", "is not after since")
    begin = bucket_of(since, step)
    condition = on_sums(viewer, filter_)
    if condition is None:
        return _one_by_one(viewer, filter_, begin, until, step, by)
    rows = Rollup.objects.filter(condition, step=step.value, bucket__gte=begin, bucket__lt=until)
    rows = rows.exclude(task="") if by is By.TASK else rows.filter(task="")
    sums: dict[tuple[datetime, str], _Sum] = {}
    for row in rows.iterator():
        one = sums.setdefault((row.bucket, "" if by is None else getattr(row, by.value)), _Sum())
        for name in _NUMBERS:
            one.numbers[name] += getattr(row, name)
        one.processing.update({int(bin_): count for bin_, count in row.processing.items()})
        one.queueing.update({int(bin_): count for bin_, count in row.queueing.items()})
    return sums, True


def on_sums(viewer: Viewer, filter_: Filter) -> Q | None:
    """Give the condition on sums that says what the viewer and the filter say; ``None`` where none does."""
    simple = Filter(types=filter_.types, consumers=filter_.consumers, instruments=filter_.instruments)
    if filter_ != simple:
        return None
    condition = Q()
    for name, values in (
        ("type", filter_.types),
        ("consumer", filter_.consumers),
        ("instrument", filter_.instruments),
    ):
        if values:
            condition &= Q(**{f"{name}__in": values})
    allowed: list[Q] = []
    for rule in where.rules(viewer, Right.VIEW):
        if rule is None:
            return condition
        if not rule.identifiers.keys() <= {"instrument"}:
            return None
        one = Q() if rule.types is None else Q(type__in=sorted(rule.types))
        if "instrument" in rule.identifiers:
            one &= Q(instrument__in=sorted(rule.identifiers["instrument"]))
        allowed.append(one)
    return condition & where.any_of(allowed) if allowed else where.NOTHING


def _one_by_one(
    viewer: Viewer, filter_: Filter, begin: datetime, until: datetime, step: Step, by: By | None
) -> tuple[dict[tuple[datetime, str], _Sum], bool]:
    """Add up what a viewer sees, message by message: those that arrived in the span, the latest first."""
    condition = where.visible(viewer, filter_) & Q(arrived__gte=begin, arrived__lt=until)
    sums: dict[tuple[datetime, str], _Sum] = {}
    looked = 0
    rows = Message.objects.filter(condition).order_by("-arrived", "-correlation_id")
    for message in rows.iterator(chunk_size=1000):
        if looked >= COUNTED_ONE_BY_ONE:
            return sums, False
        if by is not By.TASK:
            name = "" if by is None else getattr(message, by.value)
            key = bucket_of(message.arrived, step), name
            sums.setdefault(key, _Sum()).numbers["messages"] += 1
        sights = Sight.objects.filter(arrived=message.arrived, correlation_id=message.correlation_id)
        for sight in sights:
            looked += 1
            for name, one in _of_sight(message, sight, by):
                if begin <= sight.finished < until:
                    _add(sums.setdefault((bucket_of(sight.finished, step), name), _Sum()), one)
    return sums, True


def _of_sight(message: Message, sight: Sight, by: By | None) -> Iterable[tuple[str, _Sum]]:
    processing = max((sight.finished - sight.started).total_seconds(), 0)
    if by is By.TASK:
        failed = {one["task"] for one in sight.detail["failures"]}
        for task, seconds in sight.detail["timings"].items():
            yield (
                task,
                _Sum(Counter({"dead" if task in failed else "acked": 1}), Counter({bin_of(seconds): 1})),
            )
        return
    name = {
        None: "",
        By.TYPE: message.type,
        By.CONSUMER: sight.consumer,
        By.INSTRUMENT: message.instrument,
    }[by]
    queueing: Counter[int] = Counter()
    if sight.attempt == 1:
        queueing[bin_of(max((sight.started - sight.first_seen).total_seconds(), 0))] += 1
    yield name, _Sum(Counter({sight.outcome: 1}), Counter({bin_of(processing): 1}), queueing)


def _add(to: _Sum, one: _Sum) -> None:
    to.numbers.update(one.numbers)
    to.processing.update(one.processing)
    to.queueing.update(one.queueing)


def _times(counts: Counter[int]) -> Times:
    return Times(percentile(counts, 0.5), percentile(counts, 0.95), percentile(counts, 0.99))
