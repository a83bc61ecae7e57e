"""A consumer of a configuration, opened for a command that does its work by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from pacer_core.config import load
from pacer_core.config.model import ConsumerPlan
from pacer_core.model.errors import PacerError
from pacer_core.model.messages import Context, Envelope
from pacer_core.work.clients import OpenIntegrations


@contextmanager
def by_hand(file: Path, consumer_type: str, name: str | None) -> Iterator[Context]:
    """Give what the tasks of a consumer see; see `pacer_core.commands.consumer_by_hand`.

    Raises
    ------
    PacerError
        Where the configuration is wrong, or there is no such consumer, or more than one.
    """
    config = load(file)
    plan = _plan(config.consumers, file, consumer_type, name)
    opened = OpenIntegrations()
    try:
        yield Context(
            Envelope(b"", queue="", correlation_id=str(uuid4())),
            plan.name,
            options=plan.pipeline.options,
            clients=opened.clients(plan),
        )
    finally:
        opened.close_thread()
        opened.close()


def _plan(plans: tuple[ConsumerPlan, ...], file: Path, consumer_type: str, name: str | None) -> ConsumerPlan:
    found = [one for one in plans if one.pipeline.type.name == consumer_type and name in (None, one.name)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(one.name for one in found)
        raise PacerError(f"{file} has several consumers of type {consumer_type}: say which ({names})")
    which = "" if name is None else f" named {name!r}"
    raise PacerError(f"{file} has no consumer of type {consumer_type}{which}: add one")
