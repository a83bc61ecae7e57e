# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "django==5.2.*", "django-postgres-extra==2.0.9", "psycopg2-binary==2.9.10", "celery==5.5.3",
#     "channels==4.3.2", "channels_rabbitmq==4.0.1",
# ]
# ///
"""ICAT-PACER's dashboard, as its facts describe it: a Celery task that stores one row and tells one group.

    uv run --no-project --script benchmarks/contestants/upstream_dashboard.py DATABASE BROKER RECORDS

An environment of its own has its libraries. ``DATABASE`` is a PostgreSQL's URL, ``BROKER`` a RabbitMQ's,
``RECORDS`` a file with the task's arguments, a JSON object a line. Prints how many it stored in a second.

The table is as theirs: partitioned by ``created_at`` in half-years by django-postgres-extra, with an index of
the type and a GIN index of the identifiers. One process calls the task for one record after another, with all
that Celery does around it in a worker, but for receiving. The notification goes through `channels_rabbitmq`,
on an event loop that the process keeps, and is confirmed by the broker.
"""

# mypy: disable-error-code="import-not-found, import-untyped, var-annotated, attr-defined, untyped-decorator"
# Its libraries are in no environment of ours.

from __future__ import annotations

import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django
from django.conf import settings

WARM_UP = 50


def configure(database: str, broker: str) -> None:
    """Set Django up for the database, and the channel layer for the broker."""
    url = urlsplit(database)
    settings.configure(
        SECRET_KEY="for-benchmarks-alone",
        USE_TZ=True,
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.postgres", "psqlextra", "channels"],
        DATABASES={
            "default": {
                "ENGINE": "psqlextra.backend",
                "HOST": url.hostname,
                "PORT": url.port,
                "USER": url.username,
                "NAME": url.path[1:],
                "OPTIONS": {"sslmode": "disable"},
            }
        },
        CHANNEL_LAYERS={
            "default": {
                "BACKEND": "channels_rabbitmq.core.RabbitmqChannelLayer",
                "CONFIG": {"host": broker, "expiry": 60},
            }
        },
    )
    django.setup()


def message_model() -> Any:
    """Give the model of a message; made when Django is there, since this module is the whole application."""
    from django.contrib.postgres.indexes import GinIndex
    from django.db import models
    from psqlextra.models import PostgresPartitionedModel
    from psqlextra.types import PostgresPartitioningMethod

    class Message(PostgresPartitionedModel):  # type: ignore[misc]  # a library of the script's own
        """One row for one delivery."""

        created_at = models.DateTimeField(auto_now_add=True)
        processing_start = models.DateTimeField(null=True)
        processing_end = models.DateTimeField(null=True)
        processing_time = models.FloatField(null=True)
        hash = models.CharField(max_length=255, null=True)
        message_type = models.CharField(max_length=255, default="unknown")
        object_identifiers = models.JSONField(null=True)
        payload_format = models.CharField(max_length=255)
        payload = models.JSONField()
        errored = models.BooleanField(default=False)
        error_message = models.TextField(null=True)
        acknowledged = models.BooleanField(default=False)
        exchange_name = models.CharField(max_length=255, null=True)
        routing_key = models.CharField(max_length=255, null=True)

        class PartitioningMeta:
            """By the time at which it is stored."""

            method = PostgresPartitioningMethod.RANGE
            key = ["created_at"]  # noqa: RUF012 - it has to be a list

        class Meta:
            """Its two indexes."""

            app_label = "dashboard"
            indexes = (models.Index(fields=["message_type"]), GinIndex(fields=["object_identifiers"]))

    return Message


def create(model: Any) -> None:
    """Create the table, with the half-years that are there at any time, and a partition for the rest."""
    from django.db import connection

    this = datetime.now(UTC).year
    with connection.schema_editor() as editor:
        editor.create_partitioned_model(model)
        editor.add_default_partition(model, "default")
        for year in (this, this + 1):
            for name, begin, end in (
                (f"{year}_jan", f"{year}-01-01", f"{year}-07-01"),
                (f"{year}_jul", f"{year}-07-01", f"{year + 1}-01-01"),
            ):
                editor.add_range_partition(model, name, begin, end)


def task(model: Any, loop: asyncio.AbstractEventLoop) -> Any:
    """Give the task."""
    from celery import Celery
    from channels.layers import get_channel_layer
    from django.db import transaction
    from django.utils.dateparse import parse_datetime

    app = Celery("pacer-dashboard", set_as_current=False)

    async def layer() -> Any:
        return get_channel_layer()

    groups = loop.run_until_complete(layer())

    @app.task(name="dashboard.tasks.log_pacer_message", queue="dashboard-logging", retry_backoff=True)
    def log_pacer_message(
        *, processing_start: str, processing_end: str, error_message: dict[str, str], **said: Any
    ) -> None:
        start, end = parse_datetime(processing_start), parse_datetime(processing_end)
        assert start is not None
        assert end is not None
        with transaction.atomic():
            row = model.objects.create(
                processing_start=start,
                processing_end=end,
                processing_time=(end - start).total_seconds(),
                error_message=json.dumps(error_message),
                **said,
            )
        told = {"type": "new.message", "message_id": row.pk}
        loop.run_until_complete(groups.group_send("messages_room", told))

    return log_pacer_message


def main() -> None:
    """Store all records, one after another, and print the rate of those after the first few."""
    database, broker, records = sys.argv[1:]
    configure(database, broker)
    model = message_model()
    create(model)
    log_pacer_message = task(model, asyncio.new_event_loop())
    said = [json.loads(line) for line in Path(records).read_text().splitlines()]
    begun = 0.0
    for number, one in enumerate(said):
        if number == WARM_UP:
            begun = time.perf_counter()
        log_pacer_message.apply(kwargs=one, throw=True)
    took = time.perf_counter() - begun
    assert model.objects.count() == len(said)
    print((len(said) - WARM_UP) / took)


if __name__ == "__main__":
    main()
