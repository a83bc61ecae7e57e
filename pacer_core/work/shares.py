"""What each process works on: consumers, or an instance of a service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from pacer_core.config.model import ConsumerPlan, ServicePlan

if TYPE_CHECKING:
    pass


@frozen
class Share:
    """What one process works on: consumers by name, or an instance of a service."""

    name: str
    consumers: tuple[str, ...] = ()
    service: str = ""
    instance: int = 1

    @property
    def kind(self) -> str:
        """A ``worker`` or a ``service``."""
        return "service" if self.service else "worker"

    def __str__(self) -> str:
        return f"{self.kind} {self.name.removeprefix(f'{self.kind}:')}"


def shares(plans: Sequence[ConsumerPlan], services: Sequence[ServicePlan] = ()) -> Iterator[Share]:
    """Say which processes there are.

    One for all consumers of a key space, ``workers`` for each other one, and ``instances`` for each service.
    """
    spaces: dict[str, list[str]] = {}
    for plan in plans:
        key = plan.pipeline.type.key
        if key is not None:
            spaces.setdefault(key.space, []).append(plan.name)
        else:
            for number in range(plan.config.workers):
                yield Share(f"{plan.name}-{number + 1}", (plan.name,))
    for space, names in spaces.items():
        yield Share(f"key:{space}", tuple(names))
    for one in services:
        for number in range(1, one.config.instances + 1):
            yield Share(f"service:{one.name}-{number}", service=one.name, instance=number)
