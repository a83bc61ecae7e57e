"""What the plugin registers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pacer_core import ConsumerType, Envelope, IntegrationType, Route, ServiceType, Task, hookimpl
from shipments_pacer.counter import COUNTER
from shipments_pacer.courier import COURIER
from shipments_pacer.csv_bodies import read_csv
from shipments_pacer.measured import JOINED, tell_courier
from shipments_pacer.routing import keep_dangerous_goods
from shipments_pacer.shipments import SHIPMENTS

if TYPE_CHECKING:
    import click


@hookimpl
def pacer_consumers() -> list[ConsumerType]:
    """Give the consumer types of this plugin."""
    return [SHIPMENTS]


@hookimpl
def pacer_tasks(consumer: str) -> list[Task]:
    """Give the task that joins the datasets of ICAT's plugin."""
    return [tell_courier] if consumer == JOINED else []


@hookimpl
def pacer_integrations() -> list[IntegrationType[Any]]:
    """Give the outside systems of this plugin."""
    return [COURIER]


@hookimpl
def pacer_services() -> list[ServiceType]:
    """Give the services of this plugin."""
    return [COUNTER]


@hookimpl
def pacer_parse_message(envelope: Envelope, consumer: ConsumerType) -> Any:
    """Read the bodies that are this plugin's, and leave others to others."""
    return read_csv(envelope, consumer)


@hookimpl
def pacer_route_message(message: Any, envelope: Envelope, routes: Sequence[Route]) -> Sequence[Route] | None:
    """Pick the routes of a message, or have no opinion."""
    return keep_dangerous_goods(message, envelope, routes)


@hookimpl
def pacer_commands() -> list[click.Command]:
    """Give the group ``shipments``."""
    from shipments_pacer.command import shipments  # not with the plugin: a worker needs no commands

    return [shipments]
