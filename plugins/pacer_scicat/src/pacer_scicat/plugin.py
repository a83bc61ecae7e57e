"""What the plugin registers with PACER."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pacer_core import ConfigMigration, ConsumerType, IntegrationType, Task, hookimpl
from pacer_scicat.datasets.task import store_scicat_dataset
from pacer_scicat.files.task import NEXUS_FILES
from pacer_scicat.integration import SCICAT
from pacer_scicat.samples.task import SCICAT_SAMPLES

if TYPE_CHECKING:
    import click


@hookimpl
def pacer_consumers() -> Iterable[ConsumerType]:
    """Give the consumer types."""
    return [NEXUS_FILES, SCICAT_SAMPLES]


@hookimpl
def pacer_tasks(consumer: str) -> Iterable[Task]:
    """Give ``datasets`` the task that stores them in SciCat as well."""
    return [store_scicat_dataset] if consumer == "datasets" else []


@hookimpl
def pacer_integrations() -> Iterable[IntegrationType[Any]]:
    """Give the integration ``scicat``."""
    return [SCICAT]


@hookimpl
def pacer_commands() -> Iterable[click.Command]:
    """Give the group ``scicat``."""
    # Imported here: a worker needs no commands.
    from pacer_scicat.command import ingest  # noqa: F401 - adds itself to the group
    from pacer_scicat.command.group import scicat

    return [scicat]


@hookimpl
def pacer_config_migrations() -> Iterable[ConfigMigration]:
    """Give what reads configurations of SciCat's own ingestor."""
    # Imported here: a worker migrates nothing.
    from pacer_scicat.migration.ingestor import migrate, recognises

    return [ConfigMigration(name="scicat-ingestor", recognises=recognises, migrate=migrate)]
