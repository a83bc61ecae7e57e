"""What the plugin registers with PACER."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pacer_core import ConsumerType, IntegrationType, hookimpl
from pacer_scicat.files.task import NEXUS_FILES
from pacer_scicat.integration import SCICAT
from pacer_scicat.samples.task import SCICAT_SAMPLES

if TYPE_CHECKING:
    pass


@hookimpl
def pacer_consumers() -> Iterable[ConsumerType]:
    """Give the consumer types."""
    return [NEXUS_FILES, SCICAT_SAMPLES]


@hookimpl
def pacer_integrations() -> Iterable[IntegrationType[Any]]:
    """Give the integration ``scicat``."""
    return [SCICAT]
