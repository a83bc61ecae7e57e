"""What the plugin registers with PACER."""

from __future__ import annotations

from collections.abc import Iterable

from pacer_core import ServiceType, hookimpl
from pacer_files.service import FILES


@hookimpl
def pacer_services() -> Iterable[ServiceType]:
    """Give the service ``files``."""
    return [FILES]
