"""What the plugin registers with PACER."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pacer_core import IntegrationType, hookimpl
from pacer_pacifica.integration import PACIFICA


@hookimpl
def pacer_integrations() -> Iterable[IntegrationType[Any]]:
    """Give the integration ``pacifica``: jobs and spool."""
    return [PACIFICA]
