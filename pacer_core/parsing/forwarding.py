"""Forwarding rules: which messages also go to another broker; the core's own ``pacer_route_message``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pacer_core.hookspecs import hookimpl
from pacer_core.model.consumers import ConsumerType
from pacer_core.model.messages import Envelope
from pacer_core.model.routes import Route


@hookimpl(trylast=True)
def pacer_route_message(message: Any, envelope: Envelope, routes: Sequence[Route]) -> tuple[Route, ...]:
    """Take every route whose rule matches, each recipient once."""
    return tuple({route.recipient: route for route in routes if route.takes(envelope)}.values())


FORWARD = ConsumerType(name="forward", message=None, tasks=())
"""Hands messages on by the forwarding rules, and does not look into them."""


@hookimpl
def pacer_consumers() -> list[ConsumerType]:
    """Give the consumer type that only forwards."""
    return [FORWARD]
