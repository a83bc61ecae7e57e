"""Keeps tasks from running whose system is away, or whose message would overtake another."""

from __future__ import annotations

from attrs import define

from pacer_core.config.model import ConsumerPlan
from pacer_core.model.consumers import Task
from pacer_core.work.breakers import Breakers


@define(eq=False)
class TaskGate:
    """Keeps a message's tasks from systems that are away and from overtaking; see `pipeline.Gate`."""

    plan: ConsumerPlan
    breakers: Breakers
    behind: frozenset[str]

    def closed(self, task: Task) -> tuple[str, str] | None:
        """Say why a task is not to run now, as the kind of its failure and its reason."""
        if task.name in self.behind:
            return "behind", "an earlier message of the same key waits for this task"
        away = self.breakers.blocks(self.plan, task) if task.needs else None
        return None if away is None else ("away", f"integration {away!r} is away")

    def ended(self, task: Task, error: BaseException | None) -> None:
        """Take note of what became of a task: it tells whether its system is there."""
        if task.needs:
            self.breakers.ended(self.plan, task, error)
