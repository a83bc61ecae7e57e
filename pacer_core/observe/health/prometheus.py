"""What is known of the workers and the broker, in the words of Prometheus: the only door to its library.

The page of the reference about metrics is made of `sections`, with the help of each metric.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain

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
        return chain.from_iterable(sections(self.workers, self.answer).values())


def sections(workers: Sequence[Seen], answer: Answer | None) -> dict[str, list[Metric]]:
    """Give all metrics, by what they are about."""
    snapshots = [worker.snapshot for worker in workers if worker.snapshot is not None]
    return {
        "Messages": [
            *_messages(snapshots),
            _tasks(snapshots),
            _confirms(snapshots),
            _lost(snapshots),
            _dropped(snapshots),
            *_in_hand(workers),
            _hottest(workers),
        ],
        "Queues": list(_broker(answer)),
        "Workers and integrations": [*_workers(workers), *_integrations(workers), _info()],
        "Services": list(_services(snapshots)),
    }


def _info() -> Metric:
    info = InfoMetricFamily("pacer", "Always 1.")
    info.add_metric([], {"version": __version__})
    return info


def _messages(snapshots: Sequence[Snapshot]) -> Iterator[Metric]:
    messages = CounterMetricFamily(
        "pacer_messages",
        "Messages that were settled; the outcome is `acked`, `retried` or `dead`, and a retried message "
        "counts again when it comes back.",
        labels=["consumer", "outcome"],
    )
    failures = CounterMetricFamily(
        "pacer_failures",
        "Failures, by their kind, of tasks and of what stands in the place of one. There is no sample before "
        "the first failure.",
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
        "pacer_counted",
        "What the tasks of a consumer count themselves, in each sight of a message.",
        labels=["consumer", "what"],
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


def _tasks(snapshots: Sequence[Snapshot]) -> Metric:
    family = HistogramMetricFamily(
        "pacer_task_duration_seconds",
        "How long tasks ran; forwarding to a recipient is the task `forward:RECIPIENT`.",
        labels=["consumer", "task"],
    )
    for consumer, tasks in _consumers(snapshots).items():
        for task in tasks:
            family.add_metric([consumer, task], *_histogram(snapshots, "task", consumer, task))
    return family


def _confirms(snapshots: Sequence[Snapshot]) -> Metric:
    family = HistogramMetricFamily(
        "pacer_publish_confirm_seconds",
        "How long the broker took to confirm retries, dead letters and follow-ups, and the messages of "
        "services.",
        labels=[],
    )
    family.add_metric([], *_histogram(snapshots, "confirm"))
    return family


def _lost(snapshots: Sequence[Snapshot]) -> Metric:
    return _labelled(
        "pacer_settled_lost",
        "Settled messages that a plugin with `pacer_message_settled` was not told of because it is too slow, "
        "or could not keep; only of plugins that have the hook.",
        "plugin",
        {name: _sum(snapshots, ("lost", name)) for one in snapshots for name in one.shape.listeners},
    )


def _dropped(snapshots: Sequence[Snapshot]) -> Metric:
    return _labelled(
        "pacer_copies_not_believed",
        "Messages with PACER's own headers and without a signature that fits: they are handled as new.",
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


def _by_worker(
    kind: type[GaugeMetricFamily] | type[CounterMetricFamily],
    name: str,
    about: str,
    workers: Sequence[Seen],
    value: Callable[[Seen], float],
) -> Metric:
    family = kind(name, about, labels=["worker"])
    for worker in workers:
        family.add_metric([worker.name], value(worker))
    return family


def _in_hand(workers: Sequence[Seen]) -> Iterator[Metric]:
    yield _by_worker(
        GaugeMetricFamily,
        "pacer_messages_in_hand",
        "Messages that a worker holds and has not settled.",
        workers,
        lambda one: one.now("in_hand"),
    )
    yield _by_worker(
        GaugeMetricFamily,
        "pacer_messages_set_aside",
        "Messages in hand whose tasks have run and whose end the broker does not take: a dead queue is full.",
        workers,
        lambda one: one.now("aside"),
    )


def _workers(workers: Sequence[Seen]) -> Iterator[Metric]:
    gauge, counter = GaugeMetricFamily, CounterMetricFamily
    about = "Whether the process is alive."
    yield _by_worker(gauge, "pacer_worker_up", about, workers, lambda one: one.up)
    about = (
        "Whether it reads its queues, stands by, or waits for a system that is away; of a service, whether "
        "it does its work."
    )
    yield _by_worker(gauge, "pacer_worker_ready", about, workers, lambda one: one.ready)
    about = "How often the process was started again."
    yield _by_worker(counter, "pacer_worker_restarts", about, workers, lambda one: max(one.starts - 1, 0))
    about = (
        "How often the process has died; an orderly end and a replacement after `taskTimeout` do not count."
    )
    yield _by_worker(counter, "pacer_worker_crashes", about, workers, lambda one: one.crashes)


def _integrations(workers: Sequence[Seen]) -> Iterator[Metric]:
    about = "1 while tasks that need the integration are put off because it is away."
    yield _by_integration("pacer_breaker_open", about, workers, "open")
    about = (
        "1 where the first 20 tasks that needed the integration all ended in `NotYet`, until one finishes: "
        "an account without the right to read gets empty answers."
    )
    yield _by_integration("pacer_integration_found_nothing", about, workers, "found_nothing")


def _by_integration(name: str, about: str, workers: Sequence[Seen], number: str) -> Metric:
    family = GaugeMetricFamily(name, about, labels=["worker", "integration"])
    for worker in workers:
        if worker.snapshot is not None:
            for integration in worker.snapshot.shape.integrations:
                family.add_metric([worker.name, integration], worker.now(number, integration))
    return family


def _hottest(workers: Sequence[Seen]) -> Metric:
    family = GaugeMetricFamily(
        "pacer_hottest_key_waiting",
        "For the key of a key space with most of them: messages in hand that wait for an earlier one of that "
        "key. No sample where none wait.",
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
    yield GaugeMetricFamily(
        "pacer_broker_up",
        f"1 where the broker has answered within the last {LATELY:g} seconds; otherwise there are no samples "
        "of its queues.",
        value=lately,
    )
    if answer is None or not lately:
        return
    ready = GaugeMetricFamily(
        "pacer_queue_messages_ready", "Messages that wait at the broker.", labels=["queue"]
    )
    dead = GaugeMetricFamily("pacer_queue_messages_dead", "Messages in its dead queue.", labels=["queue"])
    for queue in answer.status.queues:
        if queue.ready is not None:
            ready.add_metric([queue.name], queue.ready)
        if queue.dead is not None:
            dead.add_metric([queue.name], queue.dead)
    waiting = GaugeMetricFamily(
        "pacer_retry_messages_waiting",
        "Copies of all queues that wait for a retry, by the step of the ladder.",
        labels=["seconds"],
    )
    for step in answer.status.steps:
        if step.waiting is not None and step.seconds in LADDER:
            waiting.add_metric([str(step.seconds)], step.waiting)
    yield from (ready, dead, waiting)
