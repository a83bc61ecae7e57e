"""What the plugin registers with PACER."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pacer_core import IntegrationType, Task, hookimpl
from pacer_panosc.integration import PANOSC
from pacer_panosc.tasks import create_panosc_item, recompute_scores


@hookimpl
def pacer_tasks(consumer: str) -> Iterable[Task]:
    """Give `investigation-operations` the tasks of the operation ``create-panosc-item``."""
    return [create_panosc_item, recompute_scores] if consumer == "investigation-operations" else []


@hookimpl
def pacer_integrations() -> Iterable[IntegrationType[Any]]:
    """Give the integration ``panosc``."""
    return [PANOSC]
