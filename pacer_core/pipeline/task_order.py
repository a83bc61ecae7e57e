"""The order in which a consumer's tasks run: as they were registered, and as after= says."""

from __future__ import annotations

from collections.abc import Callable, Collection
from graphlib import CycleError, TopologicalSorter
from typing import Any

import attrs

from pacer_core.model.consumers import Task
from pacer_core.model.errors import (
    PacerError,
)
from pacer_core.model.integrations import IntegrationType


class TaskOrderError(PacerError):
    """The tasks of a consumer cannot be put in an order: a cycle, or an ``after=`` that names no task."""


def in_order(
    tasks: tuple[Task, ...], enabled: Callable[[IntegrationType[Any]], bool], left_out: Collection[str] = ()
) -> tuple[Task, ...]:
    """Give the tasks whose integrations are all enabled, in an order that respects ``after=``.

    Those in ``left_out`` are switched off as well.

    Tasks stand in the order of their registration wherever ``after=`` leaves it open. A task that is
    switched off holds nothing up: what comes after it comes after what that one would have waited for.

    Raises
    ------
    TaskOrderError
        For a cycle, a missing name, or a name given twice.
    """
    by_name = {task.name: task for task in tasks}
    if len(by_name) != len(tasks):
        twice = sorted({task.name for task in tasks if sum(task.name == other.name for other in tasks) > 1})
        raise TaskOrderError(f"task names must be unique in a consumer: {', '.join(twice)}")
    for task in tasks:
        for name in task.after:
            if name not in by_name:
                raise TaskOrderError(
                    f"task {task.name!r} comes after {name!r}, which no installed plugin provides: "
                    f"install the plugin that does, or correct after="
                )
    rank = {task.name: place for place, task in enumerate(tasks)}
    sorter = TopologicalSorter({task.name: task.after for task in tasks})
    try:
        sorter.prepare()
    except CycleError as error:
        raise TaskOrderError(f"tasks wait for each other: {' -> '.join(error.args[1])}") from None
    ordered: list[Task] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=rank.__getitem__)
        ordered += [by_name[name] for name in ready]
        sorter.done(*ready)
    runs: dict[str, Task] = {}
    before: dict[str, tuple[str, ...]] = {}  # of those that are switched off, whom they would wait for
    for task in ordered:
        after = tuple(dict.fromkeys(name for one in task.after for name in before.get(one, (one,))))
        if task.name not in left_out and all(enabled(one) for one in task.needs):
            runs[task.name] = task if after == task.after else attrs.evolve(task, after=after)
        else:
            before[task.name] = after
    return tuple(runs.values())
