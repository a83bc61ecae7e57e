"""What the plugin registers with PACER."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any

from pacer_core import IntegrationType, Task, hookimpl
from pacer_visa.integration import VISA
from pacer_visa.proposals import sync_visa_proposal
from pacer_visa.users import sync_visa_user


@hookimpl
def pacer_integrations() -> Iterable[IntegrationType[Any]]:
    """Give the integration ``visa``."""
    return [VISA]


@hookimpl
def pacer_tasks(consumer: str) -> Iterable[Task]:
    """Give pacer-icat's consumers the tasks for VISA; DOIs where pacer-datacite mints them."""
    if consumer == "users":
        return [sync_visa_user]
    if consumer == "investigations":
        return [sync_visa_proposal]
    if consumer == "investigation-operations" and find_spec("pacer_datacite") is not None:
        from pacer_visa.dois import store_visa_doi

        return [store_visa_doi]
    return []
