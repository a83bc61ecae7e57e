"""What the plugin registers with PACER."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from pacer_core import ConsumerType, IntegrationType, LogHandlerType, Task, hookimpl, say_json
from pacer_elastic.client import template
from pacer_elastic.integration import ELASTIC
from pacer_elastic.logs import LOG_HANDLER
from pacer_elastic.tasks import (
    DATASET_INDEX,
    index_counted_dataset,
    index_linked_dataset,
    index_stored_dataset,
    reindex_investigation,
)

TASKS = {
    "datasets": [index_stored_dataset],
    "dataset-links": [index_linked_dataset],
    "dataset-statistics": [index_counted_dataset],
    "investigation-operations": [reindex_investigation],
}


@hookimpl
def pacer_consumers() -> Iterable[ConsumerType]:
    """Give the consumer type ``dataset-index``."""
    return [DATASET_INDEX]


@hookimpl
def pacer_tasks(consumer: str) -> Iterable[Task]:
    """Give the consumer types that change datasets, and `investigation-operations`, the tasks that index."""
    return TASKS.get(consumer, [])


@hookimpl
def pacer_integrations() -> Iterable[IntegrationType[Any]]:
    """Give the integration ``elastic``."""
    return [ELASTIC]


@hookimpl
def pacer_log_handlers() -> Iterable[LogHandlerType]:
    """Give the log handler ``elastic``."""
    return [LOG_HANDLER]


@click.group()
def elastic() -> None:
    """Look after indexes in Elasticsearch and OpenSearch."""


@elastic.command("template", short_help="Print the index template of datasets.")
def show_template() -> None:
    """Print the index template of datasets, for ``PUT _index_template/NAME``."""
    say_json(template(), indent=True)


@hookimpl
def pacer_commands() -> Iterable[click.Command]:
    """Give the group ``pacer elastic``."""
    return [elastic]
