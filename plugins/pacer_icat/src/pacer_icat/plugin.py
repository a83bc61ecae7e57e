"""What the plugin registers with PACER."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pacer_core import ConsumerType, IntegrationType, hookimpl
from pacer_icat.datasets.task import DATASETS
from pacer_icat.integration import ICAT
from pacer_icat.investigations.task import INVESTIGATIONS
from pacer_icat.links.task import DATASET_LINKS
from pacer_icat.operations.task import OPERATIONS
from pacer_icat.reingest.task import REINGEST
from pacer_icat.totals.task import DATASET_STATISTICS
from pacer_icat.updates.archive import ARCHIVE_STATUS
from pacer_icat.updates.datafiles import DATASET_FILES
from pacer_icat.updates.metadata import DATASET_METADATA
from pacer_icat.users.task import USERS

if TYPE_CHECKING:
    import click


@hookimpl
def pacer_consumers() -> Iterable[ConsumerType]:
    """Give the consumer types."""
    return [
        USERS,
        INVESTIGATIONS,
        DATASETS,
        DATASET_LINKS,
        DATASET_STATISTICS,
        DATASET_METADATA,
        DATASET_FILES,
        ARCHIVE_STATUS,
        OPERATIONS,
        REINGEST,
    ]


@hookimpl
def pacer_integrations() -> Iterable[IntegrationType[Any]]:
    """Give the integration ``icat``."""
    return [ICAT]


@hookimpl
def pacer_commands() -> Iterable[click.Command]:
    """Give the group ``icat``."""
    # Imported here: a worker needs no commands.
    from pacer_icat.reingest.command import icat

    return [icat]
