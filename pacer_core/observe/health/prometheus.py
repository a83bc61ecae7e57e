"""What is known of the workers and the broker, in the words of Prometheus: the only door to its library."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from attrs import frozen
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from pacer_core import __version__
from pacer_core.model.messages import Outcome
from pacer_core.observe.health.queues import LATELY, Answer
from pacer_core.observe.health.workers import Seen
from pacer_core.observe.metrics import BUCKETS, KINDS, PLACES, Snapshot
from pacer_core.transport.retry_policy import LADDER


def exposition(workers: Iterable[Seen], answer: Answer | None, accept: str) -> tuple[bytes, str]:
    """Give the metrics as a scrape that accepts ``accept`` wants them, and their content type."""
    registry = CollectorRegistry()
    registry.register(_All(list(workers), answer))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


@frozen(eq=False)
class _All(Collector):
    workers: Sequence[Seen]
    answer: Answer | None

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        snapshots = [worker.snapshot for worker in self.workers if worker.snapshot is not None]
        info = InfoMetricFamily("pacer", "This PACER.")
        info.add_metric([], {"version": __version__})
        yield info
        yield from _messages(snapshots)
        yield from _tasks(snapshots)
        yield _confirms(snapshots)
        yield _lost(snapshots)
        yield _dropped(snapshots)
        yield from _services(snapshots)
        yield from _workers(self.workers)
        yield from _integrations(self.workers)
        yield _hottest(self.workers)
        yield from _broker(self.answer)


def _messages(snapshots: Sequence[Snapshot]) -> Iterator[Metric]:
    messages = CounterMetricFamily(
        "pacer_messages",
        "Messages that have been settled; a retried one counts again when it comes back.",
        labels=["consumer", "outcome"],
    )
    failures = CounterMetricFamily(
        "pacer_failures",
        "Failures of tasks, and of messages outside their tasks.",
        labels=["consumer", "task", "kind"],
    )
    for consumer, tasks in _consumers(snapshots).items():
        for outcome in Outcome:
            name = ("messages", consumer, outcome.value)
            messages.add_metric([consumer, outcome.value], _sum(snapshots, name))
        for task in (*tasks, *PLACES):
            for kind in KINDS:
                if count := _sum(snapshots, ("failures", consumer, task, kind)):
                    failures.add_metric([consumer, task, kind], count)
    counted = CounterMetricFamily(
        "pacer_counted", "What the tasks of a consumer count themselves.", labels=["consumer", "what"]
    )
    for consumer, what in dict.fromkeys(
        (consumer, what)
        for one in snapshots
        for consumer, names in one.shape.counts.items()
        for what in names
    ):
        counted.add_metric([consumer, what], _sum(snapshots, ("counted", consumer, what)))
    yield from (messages, failures, counted)


def _services(snapshots: Sequence[Snapshot]) -> Iterator[Metric]:
    published = CounterMetricFamily(
        "pacer_service_published", "Messages of a service that the broker has confirmed.", labels=["service"]
    )
    counted = CounterMetricFamily(
        "pacer_service_counted", "What a service counts itself.", labels=["service", "what"]
    )
    names = {name: counts for one in snapshots for name, counts in one.shape.services.items()}
    for name, counts in names.items():
        published.add_metric([name], _sum(snapshots, ("published", name)))
        for what in counts:
            counted.add_metric([name, what], _sum(snapshots, ("served", name, what)))
    yield from (published, counted)


def _tasks(snapshots: Sequence[Snapshot]) -> Iterator[Metric]:
    family = HistogramMetricFamily(
        "pacer_task_duration_seconds", "How long tasks ran.", labels=["consumer", "task"]
    )
    for consumer, tasks in _consumers(snapshots).items():
        for task in tasks:
            family.add_metric([consumer, task], *_histogram(snapshots, "task", consumer, task))
    yield family


def _confirms(snapshots: Sequence[Snapshot]) -> Metric:
    family = HistogramMetricFamily(
        "pacer_publish_confirm_seconds",
        "How long the broker took to confirm what PACER publishes.",
        labels=[],
    )
    family.add_metric([], *_histogram(snapshots, "confirm"))
    return family


def _lost(snapshots: Sequence[Snapshot]) -> Metric:
    return _labelled(
        "pacer_settled_lost",
        "Settled messages that a plugin was not told of, or could not keep.",
        "plugin",
        {name: _sum(snapshots, ("lost", name)) for one in snapshots for name in one.shape.listeners},
    )


def _dropped(snapshots: Sequence[Snapshot]) -> Metric:
    return _labelled(
        "pacer_copies_not_believed",
        "Messages with PACER's own headers, and without a signature that fits: they are handled as new.",
        "queue",
        {name: _sum(snapshots, ("state_dropped", name)) for one in snapshots for name in one.shape.queues},
    )


def _labelled(name: str, what: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(name, what, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def _consumers(snapshots: Sequence[Snapshot]) -> dict[str, tuple[str, ...]]:
    return {name: tasks for one in snapshots for name, tasks in one.shape.tasks.items()}


def _sum(snapshots: Sequence[Snapshot], name: tuple[str, ...]) -> float:
    return sum(one.numbers.get(name, 0.0) for one in snapshots)


def _histogram(snapshots: Sequence[Snapshot], *name: str) -> tuple[list[tuple[str, float]], float]:
    """Give the buckets as Prometheus wants them, each with all that is in those below it, and the sum."""
    counts, total = [0.0] * (len(BUCKETS) + 1), 0.0
    for one in snapshots:
        if (*name, "sum") in one.numbers:
            more, seconds = one.histogram(*name)
            counts = [count + another for count, another in zip(counts, more, strict=True)]
            total += seconds
    bounds = [*map(str, BUCKETS), "+Inf"]
    return [(bound, sum(counts[: number + 1])) for number, bound in enumerate(bounds)], total


def _workers(workers: Sequence[Seen]) -> Iterator[Metric]:
    def family(
        kind: type[GaugeMetricFamily] | type[CounterMetricFamily],
        name: str,
        about: str,
        value: Callable[[Seen], float],
    ) -> Metric:
        metric = kind(name, about, labels=["worker"])
        for worker in workers:
            metric.add_metric([worker.name], value(worker))
        return metric

    gauge, counter = GaugeMetricFamily, CounterMetricFamily
    yield family(gauge, "pacer_worker_up", "Whether the process is alive.", lambda one: one.up)
    yield family(
        gauge,
        "pacer_worker_ready",
        "Whether it does what it is there for, stands by, or waits for a system that is away.",
        lambda one: one.ready,
    )
    yield family(
        counter,
        "pacer_worker_restarts",
        "How often the process was started again.",
        lambda one: max(one.starts - 1, 0),
    )
    yield family(counter, "pacer_worker_crashes", "How often the process has died.", lambda one: one.crashes)
    yield family(
        gauge,
        "pacer_messages_in_hand",
        "Messages that the process holds and has not settled.",
        lambda one: one.now("in_hand"),
    )
    yield family(
        gauge,
        "pacer_messages_set_aside",
        "Messages whose tasks have run and whose end the broker does not take: a dead queue is full.",
        lambda one: one.now("aside"),
    )


def _integrations(workers: Sequence[Seen]) -> Iterator[Metric]:
    for name, number, about in (
        ("pacer_breaker_open", "open", "Whether tasks that need the integration are put off: it is away."),
        (
            "pacer_integration_found_nothing",
            "found_nothing",
            "Whether none of the first tasks found what it needs: look at the account's rights.",
        ),
    ):
        family = GaugeMetricFamily(name, about, labels=["worker", "integration"])
        for worker in workers:
            if worker.snapshot is not None:
                for integration in worker.snapshot.shape.integrations:
                    family.add_metric([worker.name, integration], worker.now(number, integration))
        yield family


def _hottest(workers: Sequence[Seen]) -> Metric:
    family = GaugeMetricFamily(
        "pacer_hottest_key_waiting",
        "Messages that wait for an earlier one of their key, for the key with most of them.",
        labels=["space", "key"],
    )
    for worker in workers:
        if worker.snapshot is not None:
            for space, key in worker.snapshot.hottest.items():
                if waiting := worker.now("waiting", space):
                    family.add_metric([space, key], waiting)
    return family


def _broker(answer: Answer | None) -> Iterator[Metric]:
    lately = answer is not None and answer.age < LATELY
    yield GaugeMetricFamily("pacer_broker_up", "Whether the broker has answered lately.", value=lately)
    if answer is None or not lately:
        return
    ready = GaugeMetricFamily("pacer_queue_messages_ready", "Messages that wait.", labels=["queue"])
    dead = GaugeMetricFamily("pacer_queue_messages_dead", "Messages in the dead queue.", labels=["queue"])
    for queue in answer.status.queues:
        if queue.ready is not None:
            ready.add_metric([queue.name], queue.ready)
        if queue.dead is not None:
            dead.add_metric([queue.name], queue.dead)
    waiting = GaugeMetricFamily(
        "pacer_retry_messages_waiting", "Copies that wait for a retry, by the delay.", labels=["seconds"]
    )
    for step in answer.status.steps:
        if step.waiting is not None and step.seconds in LADDER:
            waiting.add_metric([str(step.seconds)], step.waiting)
    yield from (ready, dead, waiting)
