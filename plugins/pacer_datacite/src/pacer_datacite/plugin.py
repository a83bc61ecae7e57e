"""What the plugin registers with PACER."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pacer_core import IntegrationType, Task, hookimpl
from pacer_datacite.integration import DATACITE
from pacer_datacite.tasks import mint_proposal, store_doi


@hookimpl
def pacer_tasks(consumer: str) -> Iterable[Task]:
    """Give `investigation-operations` the tasks of the operation ``mint-proposal``."""
    return [mint_proposal, store_doi] if consumer == "investigation-operations" else []


@hookimpl
def pacer_integrations() -> Iterable[IntegrationType[Any]]:
    """Give the integration ``datacite``."""
    return [DATACITE]
