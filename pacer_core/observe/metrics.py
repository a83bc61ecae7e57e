"""What a worker counts: the names of its numbers, and what is seen of them at a moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from itertools import chain, product

from attrs import field, frozen

from pacer_core.config.model import Config, ConsumerPlan, ServicePlan
from pacer_core.model.messages import IGNORED, Outcome

BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)
"""The upper bounds of the histograms' buckets, in seconds; what takes longer is counted above them."""
KINDS = ("retry", "not-yet", "reject", "error", "away", "behind")
"""The kinds of failures; see `pacer_core.model.messages.TaskFailure`."""
PLACES = ("parse", "key", "forward", "worker", "timeout", "settle")
"""What stands in the place of a task's name where a message failed outside its tasks."""

Series = tuple[str, ...]
"""What is counted: ``("messages", consumer, outcome)``."""


class State(IntEnum):
    """What a worker is doing."""

    STARTING = 0
    DISCONNECTED = 1
    """It cannot reach the broker, and tries again."""
    READING = 2
    STAND_BY = 3
    """Another process reads these queues exclusively; this one may take over."""
    PAUSED = 4
    """Everything it could do needs a system that is away."""
    STOPPING = 5
    REFUSED = 6
    """The broker refuses what it needs: a queue that does not exist, for instance. It tries again."""
    RUNNING = 7
    """A service does what it is there for."""
    HINDERED = 8
    """A service cannot: something on its own side is not as it should be."""


@frozen
class Shape:
    """The names of what one worker counts."""

    tasks: Mapping[str, tuple[str, ...]]
    """By consumer, its tasks, forwarding among them."""
    integrations: tuple[str, ...]
    spaces: tuple[str, ...]
    """The key spaces of its consumers."""
    listeners: tuple[str, ...] = ()
    """The plugins that hear of settled messages."""
    counts: Mapping[str, tuple[str, ...]] = field(factory=dict)
    """By consumer, what its tasks count themselves."""
    queues: tuple[str, ...] = ()
    """The queues that it reads."""
    services: Mapping[str, tuple[str, ...]] = field(factory=dict)
    """By service, what it counts itself."""

    def series(self) -> Iterable[Series]:
        """Name every number, in its order."""
        for consumer, tasks in self.tasks.items():
            yield from (("messages", consumer, outcome.value) for outcome in Outcome)
            yield from (("failures", consumer, *one) for one in product((*tasks, *PLACES), KINDS))
            for task in tasks:
                yield from _histogram("task", consumer, task)
        yield from _histogram("confirm")
        yield from ((name, one) for one in self.integrations for name in ("open", "found_nothing"))
        yield from (("waiting", space) for space in self.spaces)
        yield from (("lost", plugin) for plugin in self.listeners)
        yield from (("counted", consumer, what) for consumer, names in self.counts.items() for what in names)
        yield from ((what, queue) for what in ("held", "state_dropped") for queue in self.queues)
        yield from (("published", service) for service in self.services)
        yield from (("served", service, what) for service, names in self.services.items() for what in names)
        yield from (("in_hand",), ("state",), ("aside",))


def _histogram(*name: str) -> Iterable[Series]:
    """Name a histogram's numbers: one for each bucket and for what is above them, and the sum."""
    return ((*name, what) for what in chain(map(str, range(len(BUCKETS) + 1)), ("sum",)))


def shape(config: Config, plans: Sequence[ConsumerPlan]) -> Shape:
    """Say what a worker that runs these consumers counts."""
    forwards = tuple(f"forward:{recipient.name}" for recipient in config.recipients)
    spaces = {plan.pipeline.type.key.space for plan in plans if plan.pipeline.type.key is not None}
    partitions = [queue for space in config.partitions(plans) for queue in space.queues]
    types = [plan.config.type for plan in plans]
    return Shape(
        {plan.name: (*forwards, *(task.name for task in plan.pipeline.tasks)) for plan in plans},
        tuple(sorted({one.name for plan in plans for one in plan.integrations.values()})),
        tuple(sorted(spaces)),
        tuple(name for name, one in config.listeners.items() if any(map(one.is_for, types))),
        {plan.name: _counts(plan) for plan in plans},
        tuple(dict.fromkeys((*(queue for plan in plans for queue in plan.config.queues), *partitions))),
    )


def service_shape(plan: ServicePlan) -> Shape:
    """Say what a process of a service counts."""
    return Shape({}, (), (), services={plan.name: plan.type.counts})


def _counts(plan: ConsumerPlan) -> tuple[str, ...]:
    ignores = [IGNORED] if getattr(plan.pipeline.type.message, "XML_IGNORED", ()) else []
    return tuple(dict.fromkeys([*ignores, *(what for task in plan.pipeline.tasks for what in task.counts)]))


@frozen
class Snapshot:
    """What a worker had counted when somebody looked."""

    shape: Shape
    numbers: Mapping[Series, float] = field(repr=False)
    hottest: Mapping[str, str]
    """By key space, the key for which most messages wait; ``""`` where none do."""
    trouble: str = ""
    """Why the worker cannot do what it is there for, if it says so."""
    aside: str = ""
    """What the broker said of a message that it sets aside."""

    @property
    def state(self) -> State:
        """What the worker is doing, if it is alive."""
        return State(int(self.numbers["state",]))

    def histogram(self, *name: str) -> tuple[list[float], float]:
        """Give how many values there are in each bucket and above them, and the sum of all."""
        counts = [self.numbers[*name, str(number)] for number in range(len(BUCKETS) + 1)]
        return counts, self.numbers[*name, "sum"]
