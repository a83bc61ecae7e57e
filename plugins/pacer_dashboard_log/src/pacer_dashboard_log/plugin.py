"""What the plugin registers with PACER."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pacer_core import Delivery, IntegrationType, SettledContext, hookimpl
from pacer_dashboard_log.integration import DASHBOARD


@hookimpl
def pacer_integrations() -> Iterable[IntegrationType[Any]]:
    """Give the integration ``dashboard``."""
    return [DASHBOARD]


@hookimpl
def pacer_message_settled(delivery: Delivery, ctx: SettledContext) -> bool:
    """Record a message of a consumer that enables the dashboard; hear no more of the others."""
    if DASHBOARD not in ctx:
        return False
    ctx[DASHBOARD].note(delivery, ctx)
    return True
