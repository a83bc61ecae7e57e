"""A whole configuration, as it is once the file was checked against the installed plugins."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from attrs import field, frozen

from pacer_core.config.document import decoded
from pacer_core.config.model.brokers import Broker, Recipient
from pacer_core.config.model.consumers import Consumer
from pacer_core.config.model.key_spaces import KeySpace
from pacer_core.config.model.observability import Health, Logging, Tracing
from pacer_core.config.model.processes import Processes
from pacer_core.config.model.queues import Exchange, Queue
from pacer_core.config.model.services import ServicePlan
from pacer_core.model.consumers import Task
from pacer_core.model.integrations import Seen
from pacer_core.model.notification import Listener
from pacer_core.model.routes import Route
from pacer_core.pipeline.processing import Pipeline


@frozen(eq=False)
class Integration:
    """One configured instance of an integration type: its name in the YAML, and its structured options."""

    name: str
    type: Any
    options: Any


@frozen(eq=False)
class LogHandler:
    """One configured place for records beside the console and the file: its type, and its options."""

    type: Any
    options: Any


@frozen(eq=False)
class ConsumerPlan:
    """One consumer, ready to run: its configuration, its pipeline, and the integrations that it opens."""

    config: Consumer
    pipeline: Pipeline
    integrations: Mapping[str, Integration]
    """By the name of the integration type."""
    takes_many: Task | None = field(init=False)
    """The task that takes many messages at once, the first of them; ``None`` where none does."""

    @takes_many.default
    def _find(self) -> Task | None:
        return next((task for task in self.pipeline.tasks if task.run_many is not None), None)

    @property
    def name(self) -> str:
        """The consumer's name, unique in the configuration."""
        return self.config.name

    @property
    def prefetch(self) -> int:
        """How many messages a process of it may hold."""
        task = self.takes_many
        return self.config.prefetch_for(self.key_space is not None, 1 if task is None else task.many)

    @property
    def key_space(self) -> str | None:
        """The name of its key space, where its messages have keys."""
        key = self.pipeline.type.key
        return None if key is None else key.space

    @property
    def logs_messages(self) -> bool:
        """Whether the log says of every message at ``INFO`` that it was handled."""
        given = self.config.log_messages
        return bool(self.integrations) and self.takes_many is None if given is None else given

    @property
    def left_out(self) -> dict[str, list[str]]:
        """The tasks that do not run, by the names of what they need and the consumer does not name."""
        runs = {task.name for task in self.pipeline.tasks}
        tasks: dict[str, list[str]] = {}
        for task in self.pipeline.type.tasks:
            if task.name not in runs and task.name not in self.config.leave_out:
                missing = ", ".join(one.name for one in task.needs if one.name not in self.integrations)
                tasks.setdefault(missing, []).append(task.name)
        return dict(sorted(tasks.items()))

    @property
    def warnings(self) -> tuple[Seen, ...]:
        """What may go wrong although the options are right, as the consumer type says."""
        warn = self.pipeline.type.warn
        return () if warn is None else tuple(warn(self.pipeline.options))

    @property
    def on_purpose(self) -> list[str]:
        """The tasks that the configuration leaves out on purpose."""
        return [task.name for task in self.pipeline.type.tasks if task.name in self.config.leave_out]

    @property
    def not_waiting(self) -> dict[str, list[str]]:
        """The tasks that run although one that they come after does not, with the names of these."""
        off = {task.name for task in self.pipeline.type.tasks} - {task.name for task in self.pipeline.tasks}
        declared = {task.name: task.after for task in self.pipeline.type.tasks}
        runs = {task.name: [one for one in declared[task.name] if one in off] for task in self.pipeline.tasks}
        return {name: after for name, after in runs.items() if after}


@frozen(eq=False)
class Config:
    """A whole configuration, checked against the installed plugins."""

    file: str
    broker: Broker
    recipients: tuple[Recipient, ...]
    routes: tuple[Route, ...]
    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    consumers: tuple[ConsumerPlan, ...]
    """The enabled ones."""
    logging: Logging
    health: Health
    tracing: Tracing
    processes: Processes
    route_message: Callable[..., Any]
    listeners: Mapping[str, Listener] = field(factory=dict)
    """By plugin, its ``pacer_message_settled``."""
    log_handlers: tuple[LogHandler, ...] = ()
    disabled: tuple[ConsumerPlan, ...] = ()
    """The consumers that are switched off: their queues go on gathering messages."""
    services: tuple[ServicePlan, ...] = ()
    """The enabled ones."""
    key_spaces: Mapping[str, KeySpace] = field(factory=dict)
    """Those that have partitions, by name."""
    sources: Mapping[str, str] = field(factory=dict, repr=False)
    """By path, the text of every file that was read for it, secrets among them."""

    @property
    def state_folder(self) -> Path:
        """The folder of what has to outlive processes; it may not exist yet."""
        if self.processes.state_folder is not None:
            return Path(self.processes.state_folder)
        home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        file = Path(self.file).resolve()
        return home / "pacer" / f"{file.stem}-{sha256(str(file).encode()).hexdigest()[:12]}"

    def queue(self, name: str) -> Queue:
        """Give the queue of that name, be it a partition's."""
        return next(queue for queue in (*self.queues, *self.partition_queues) if queue.name == name)

    @property
    def partition_queues(self) -> tuple[Queue, ...]:
        """The queues of all partitions, which no line of the file names."""
        return tuple(Queue(name) for space in self.key_spaces.values() for name in space.queues)

    def key_space(self, plan: ConsumerPlan) -> KeySpace | None:
        """Give the key space of a consumer, where that has partitions."""
        return None if plan.key_space is None else self.key_spaces.get(plan.key_space)

    def partitions(self, plans: Sequence[ConsumerPlan]) -> tuple[KeySpace, ...]:
        """Give the key spaces of some consumers that have partitions."""
        spaces = [space for plan in plans if (space := self.key_space(plan)) is not None]
        return tuple(dict.fromkeys(spaces))

    def readers(self, queue: str) -> tuple[ConsumerPlan, ...]:
        """Give the consumers whose messages are in a queue, those that are switched off among them."""
        of = {name: space.name for space in self.key_spaces.values() for name in space.queues}.get(queue)
        return tuple(
            plan
            for plan in (*self.consumers, *self.disabled)
            if queue in plan.config.queues or (of is not None and plan.key_space == of)
        )

    @property
    def changed(self) -> tuple[str, ...]:
        """The files that do not say any more what they said when they were read."""
        return tuple(name for name, text in self.sources.items() if _text(Path(name)) != text)


def _text(path: Path) -> str | None:
    try:
        return decoded(path.read_bytes())
    except (OSError, UnicodeDecodeError):
        return None
