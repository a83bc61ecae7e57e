"""What the plugin registers with PACER."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from pacer_core import (
    ConfigMigration,
    ConsumerType,
    Delivery,
    IntegrationType,
    ServiceType,
    SettledContext,
    hears,
    hookimpl,
)
from pacer_pacifica.archive import PACIFICA_ARCHIVE
from pacer_pacifica.commands import pacifica
from pacer_pacifica.ends.metadata import PACIFICA_METADATA
from pacer_pacifica.ends.policy import PACIFICA_POLICY
from pacer_pacifica.integration import PACIFICA
from pacer_pacifica.messages import BUNDLES, MOVES
from pacer_pacifica.migration import MIGRATION
from pacer_pacifica.service import SERVICE
from pacer_pacifica.work.consumers import consumer_types
from pacer_pacifica.work.settled import note_dead


@hookimpl
def pacer_consumers() -> Iterable[ConsumerType]:
    """Give ``pacifica-bundles`` and ``pacifica-moves``."""
    return consumer_types()


@hookimpl
def pacer_integrations() -> Iterable[IntegrationType[Any]]:
    """Give ``pacifica``, jobs and spool, and the ends of its jobs."""
    return [PACIFICA, PACIFICA_POLICY, PACIFICA_ARCHIVE, PACIFICA_METADATA]


@hookimpl
def pacer_commands() -> Iterable[click.Command]:
    """Give the group ``pacer pacifica``."""
    return [pacifica]


@hookimpl
def pacer_services() -> Iterable[ServiceType]:
    """Give the service ``pacifica``: the door for bundles over HTTP."""
    return [SERVICE]


@hookimpl
def pacer_config_migrations() -> Iterable[ConfigMigration]:
    """Give how Pacifica's own configuration becomes ours."""
    return [MIGRATION]


@hookimpl
@hears(BUNDLES, MOVES)
def pacer_message_settled(delivery: Delivery, ctx: SettledContext) -> bool | None:
    """Have jobs fail whose message is dead."""
    return note_dead(delivery, ctx)
