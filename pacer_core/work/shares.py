"""What each process works on: consumers, or an instance of a service."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from pacer_core.config.model import Config, ConsumerPlan


@frozen
class Share:
    """What one process works on: consumers by name, or an instance of a service."""

    name: str
    consumers: tuple[str, ...] = ()
    service: str = ""
    instance: int = 1
    queues: tuple[str, ...] = ()
    """The queues that it reads: a key space with partitions has them read by different processes."""

    @property
    def kind(self) -> str:
        """A ``worker`` or a ``service``."""
        return "service" if self.service else "worker"

    def __str__(self) -> str:
        return f"{self.kind} {self.name.removeprefix(f'{self.kind}:')}"


def shares(config: Config) -> Iterator[Share]:
    """Say which processes there are.

    One for all consumers of a key space, or where it has partitions an intake, and one for each of these;
    ``workers`` for each other consumer, and ``instances`` for each service.
    """
    spaces: dict[str, list[ConsumerPlan]] = {}
    for plan in config.consumers:
        if plan.key_space is not None:
            spaces.setdefault(plan.key_space, []).append(plan)
        else:
            for number in range(plan.config.workers):
                yield Share(f"{plan.name}-{number + 1}", (plan.name,), queues=plan.config.queues)
    for name, plans in spaces.items():
        consumers = tuple(plan.name for plan in plans)
        read = tuple(queue for plan in plans for queue in plan.config.queues)
        space = config.key_spaces.get(name)
        yield Share(f"{'key' if space is None else 'intake'}:{name}", consumers, queues=read)
        for number, queue in enumerate(() if space is None else space.queues, 1):
            yield Share(f"partition:{name}-{number}", consumers, queues=(queue,))
    for one in config.services:
        for number in range(1, one.config.instances + 1):
            yield Share(f"service:{one.name}-{number}", service=one.name, instance=number)
