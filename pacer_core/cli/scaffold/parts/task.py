"""A task that joins another plugin's consumer type, as it is begun."""

from __future__ import annotations

from pacer_core.cli.scaffold.parts.part import Part

TASK = Part(
    "joined",
    '''"""A task that joins the consumer type of another plugin: it runs beside that one's own tasks."""

from __future__ import annotations

from typing import Any

from pacer_core import Context, task

JOINED = "forward"
"""The consumer type that it joins: one that another plugin brings, such as ``datasets``."""


@task
def note_message(message: Any, ctx: Context) -> None:
    """Note that a message came; ``after=["store_dataset"]`` would have it wait for another task."""
    ctx.log.info("a message of %s came", JOINED)
''',
    ("from pacer_core import Task", "from $package.joined import JOINED, note_message"),
    "tasks: note_message",
    '''"""The task that joins another plugin's consumer type."""

from __future__ import annotations

from $package.joined import JOINED, note_message
from $package.plugin import pacer_tasks
from pacer_core.testing import run_task


def test_it_joins_one_consumer_type_and_no_other() -> None:
    assert list(pacer_tasks(JOINED)) == [note_message]
    assert list(pacer_tasks("another")) == []


def test_it_may_run_twice() -> None:
    assert run_task(note_message, object(), twice=True) is None
''',
    "a step of another plugin's consumer type",
)
