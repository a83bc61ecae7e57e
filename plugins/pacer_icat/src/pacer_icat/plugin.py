"""What the plugin registers with PACER."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pacer_core import ConsumerType, IntegrationType, hookimpl
from pacer_icat.datasets.task import DATASETS
from pacer_icat.integration import ICAT
from pacer_icat.investigations.task import INVESTIGATIONS
from pacer_icat.users.task import USERS


@hookimpl
def pacer_consumers() -> Iterable[ConsumerType]:
    """Give the consumer types."""
    return [USERS, INVESTIGATIONS, DATASETS]


@hookimpl
def pacer_integrations() -> Iterable[IntegrationType[Any]]:
    """Give the integration ``icat``."""
    return [ICAT]
