"""What the plugin registers with PACER."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pacer_core import IntegrationType, Task, hookimpl
from pacer_icatplus.integration import ICATPLUS
from pacer_icatplus.task import upload_gallery


@hookimpl
def pacer_tasks(consumer: str) -> Iterable[Task]:
    """Give ``datasets`` the task that uploads galleries."""
    return [upload_gallery] if consumer == "datasets" else []


@hookimpl
def pacer_integrations() -> Iterable[IntegrationType[Any]]:
    """Give the integration ``icatPlus``."""
    return [ICATPLUS]
