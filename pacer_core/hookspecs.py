"""Every hook, in the order of a message's life.

A plugin is a module, named by an entry point of the group ``pacer``, that implements some of these with
`hookimpl`. Hooks say what exists, YAML says what to build, objects do the work.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import click

    from pacer_core.model.consumers import ConsumerType, Task
    from pacer_core.model.integrations import IntegrationType, LogHandlerType
    from pacer_core.model.messages import Delivery, Envelope
    from pacer_core.model.migrations import ConfigMigration
    from pacer_core.model.notification import SettledContext
    from pacer_core.model.routes import Route
    from pacer_core.model.services import ServiceType
    from pacer_core.model.transports import TransportType

PROJECT = "pacer"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


# --- When PACER starts: what exists ----------------------------------------------------------------


@hookspec
def pacer_consumers() -> Iterable[ConsumerType]:  # type: ignore[empty-body]
    """At start-up: give the consumer types of this plugin. A name that another plugin uses is an error."""


@hookspec
def pacer_tasks(consumer: str) -> Iterable[Task]:  # type: ignore[empty-body]
    """At start-up, for each consumer type: give further tasks for it, with options of their own."""


@hookspec
def pacer_integrations() -> Iterable[IntegrationType[Any]]:  # type: ignore[empty-body]
    """At start-up: give the outside systems that this plugin can open."""


@hookspec
def pacer_log_handlers() -> Iterable[LogHandlerType]:  # type: ignore[empty-body]
    """At start-up: give further places to which records of the log can be sent."""


@hookspec
def pacer_transports() -> Iterable[TransportType]:  # type: ignore[empty-body]
    """At start-up: give the kinds of broker that this plugin can open. Each ``protocol`` has one plugin."""


@hookspec
def pacer_services() -> Iterable[ServiceType]:  # type: ignore[empty-body]
    """At start-up: give processes that bring messages in from elsewhere, as ``services:`` may name them."""


@hookspec
def pacer_config_migrations() -> Iterable[ConfigMigration]:  # type: ignore[empty-body]
    """When ``pacer config migrate`` runs: give the programs whose configurations this plugin reads."""


@hookspec
def pacer_commands() -> Iterable[click.Command]:  # type: ignore[empty-body]
    """When the command line starts: give click commands or groups; a group that exists already is joined.

    A command that is about a configuration has `pacer_core.config_option`.
    """


# --- For each message ------------------------------------------------------------------------------


@hookspec(firstresult=True)
def pacer_parse_message(envelope: Envelope, consumer: ConsumerType) -> Any:
    """When a message has come in: turn its body into a typed message.

    ``None`` means "not my format", and the next plugin is asked; raising `Reject` means "mine, but bad".
    """


@hookspec(firstresult=True)
def pacer_route_message(message: Any, envelope: Envelope, routes: Sequence[Route]) -> Sequence[Route] | None:
    """When a message has been read, or could not be: pick the forwarding routes that it takes.

    ``routes`` are all that are configured, ``message`` is ``None`` where the body could not be read. ``None``
    means "no opinion", and the next plugin is asked; ``()`` means "none of them".
    """


@hookspec
def pacer_message_settled(delivery: Delivery, ctx: SettledContext) -> bool | None:
    """When a message has been settled and the broker been answered: take note of what became of it.

    Called in a thread of the plugin's own, behind a queue of 1 000 messages: it can neither change nor delay
    the outcome. What does not fit in is counted (``pacer_settled_lost_total``), as is nothing that a killed
    process had not told yet. For a retry it is called each time that the message comes. A plugin that gives
    ``False`` hears no more of that consumer in this process, and costs it nothing; one that is marked with
    `pacer_core.hears` hears of some consumer types alone.

    ``delivery`` has the body, the typed message, its description and the seconds that each task took;
    ``ctx`` the integrations that the consumer enables, and ``ctx.publish(exchange, routing_key, body)``.
    """
