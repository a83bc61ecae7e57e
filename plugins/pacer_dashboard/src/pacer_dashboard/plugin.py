"""What the plugin registers with PACER."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from pacer_core import ConsumerType, Envelope, IntegrationType, ServiceType, hookimpl
from pacer_dashboard.commands import dashboard
from pacer_dashboard.integration import DASHBOARD_STORE
from pacer_dashboard.upkeep import UPKEEP
from pacer_dashboard.work import RECORDS, read_record


@hookimpl
def pacer_consumers() -> Iterable[ConsumerType]:
    """Give ``dashboard-records``."""
    return [RECORDS]


@hookimpl
def pacer_integrations() -> Iterable[IntegrationType[Any]]:
    """Give ``dashboard-store``: the dashboard's database."""
    return [DASHBOARD_STORE]


@hookimpl
def pacer_services() -> Iterable[ServiceType]:
    """Give ``dashboard-upkeep``: partitions, retention, and what else has to be done by itself."""
    return [UPKEEP]


@hookimpl
def pacer_commands() -> Iterable[click.Command]:
    """Give the group ``pacer dashboard``."""
    return [dashboard]


@hookimpl
def pacer_parse_message(envelope: Envelope, consumer: ConsumerType) -> Any:
    """Read a record, in either of its formats."""
    return read_record(envelope) if consumer is RECORDS or consumer.name == RECORDS.name else None
