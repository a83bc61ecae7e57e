"""What the plugin registers with PACER."""

from __future__ import annotations

from collections.abc import Iterable

from pacer_core import ServiceType, hookimpl
from pacer_kafka.service import KAFKA


@hookimpl
def pacer_services() -> Iterable[ServiceType]:
    """Give the service ``kafka``."""
    return [KAFKA]
