"""What commands of plugins do with a configuration: a consumer's work by hand, and publishing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import click

from pacer_core.cli.letter_places import refuse_unseen
from pacer_core.config import load
from pacer_core.config.model import ConsumerPlan
from pacer_core.model.errors import PacerError
from pacer_core.model.messages import Context, Envelope
from pacer_core.model.services import Publication
from pacer_core.transport.sending import UnknownDestinationError, send
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


def publish(file: Path, publications: Sequence[Publication]) -> list[str]:
    """Publish, and give the correlation ids; see `pacer_core.commands.publish`."""
    config = load(file)
    refuse_unseen(config, "configure another one to send to it")
    try:
        return send(config, publications)
    except UnknownDestinationError as error:
        raise click.UsageError(str(error)) from None


def _plan(plans: tuple[ConsumerPlan, ...], file: Path, consumer_type: str, name: str | None) -> ConsumerPlan:
    found = [one for one in plans if one.pipeline.type.name == consumer_type and name in (None, one.name)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(one.name for one in found)
        raise PacerError(f"{file} has several consumers of type {consumer_type}: say which ({names})")
    which = "" if name is None else f" named {name!r}"
    raise PacerError(f"{file} has no consumer of type {consumer_type}{which}: add one")
