"""``pacer dashboard import``: the messages of an ICAT-PACER's dashboard, from its database."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from pacer_core import PacerError, Reject, say
from pacer_dashboard.place import from_environment

if TYPE_CHECKING:
    import psycopg

TABLE = "dashboard_message"
"""The table of messages of ICAT-PACER's dashboard."""
COLUMNS = (
    "id", "created_at", "processing_start", "processing_end", "hash", "message_type", "object_identifiers",
    "payload_format", "payload", "errored", "error_message", "acknowledged", "exchange_name", "routing_key",
)  # fmt: skip
"""What is read of it; what an older revision has none of is left out."""
BATCH = 500


@click.command("import")
@click.argument("source")
@click.option("--batch", default=BATCH, show_default=True, help="Messages in one transaction.")
def import_command(source: str, batch: int) -> None:
    """Take over the messages of an ICAT-PACER's dashboard.

    SOURCE is its database, postgresql://ACCOUNT@HOST:PORT/DATABASE; the password comes from PGPASSWORD or
    ~/.pgpass. It is read, and not changed. A command that ends early goes on where it was when it is called
    again.
    """
    from pacer_dashboard.start import migrate, prepare

    place = from_environment()
    prepare(place)
    if place.folder is not None:
        migrate()
    try:
        import psycopg
    except ImportError:
        raise PacerError("psycopg is missing: install pacer-dashboard[postgresql]") from None
    try:
        with psycopg.connect(source) as connection:
            for last, taken, refused in take_over(connection, name_of(source), batch):
                say(f"up to {last}: {taken} taken over, {refused} could not be read", err=True)
    except psycopg.OperationalError as error:
        raise PacerError(f"the database to import from: {error}") from None


def name_of(source: str) -> str:
    """Give what a source is remembered by: its host, port and database."""
    from urllib.parse import urlsplit

    parts = urlsplit(source)
    host = parts.hostname or os.environ.get("PGHOST", "localhost")
    return f"{host}:{parts.port or 5432}/{parts.path.lstrip('/')}"[:255]


def take_over(
    connection: psycopg.Connection[Any], source: str, batch: int = BATCH
) -> Iterator[tuple[int, int, int]]:
    """Take over what has not been yet, a batch at a time; give the last number, and how many so far.

    A batch and how far it went are committed together, and each message has its number as its id.
    """
    from django.db import transaction

    from pacer_dashboard import store
    from pacer_dashboard.models import Imported

    columns = _columns(connection)
    taken = refused = 0
    while True:
        place, _ = Imported.objects.get_or_create(source=source, defaults={"last": 0})
        rows = _rows(connection, columns, place.last, batch)
        if not rows:
            return
        records, acknowledged = [], []
        for row in rows:
            try:
                record = _record(source, row)
            except Reject:
                refused += 1
                continue
            records.append(record)
            if row.get("acknowledged"):
                acknowledged.append(record.correlation_id)
        place.last = rows[-1]["id"]
        with transaction.atomic():
            store.store(records)
            if acknowledged:
                store.acknowledge(acknowledged, by="import", at=datetime.now(UTC), note="")
            place.save()
        taken += len(records)
        yield place.last, taken, refused


def _columns(connection: psycopg.Connection[Any]) -> list[str]:
    rows = connection.execute(
        "SELECT attname FROM pg_attribute "
        "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
        [TABLE],
    )
    there = {name for (name,) in rows}
    if "id" not in there:
        raise PacerError(
            f"the database to import from has no table {TABLE}: is it that of ICAT-PACER's dashboard?"
        )
    return [one for one in COLUMNS if one in there]


def _rows(
    connection: psycopg.Connection[Any], columns: Sequence[str], after: int, count: int
) -> list[dict[str, Any]]:
    names = ", ".join(columns)
    rows = connection.execute(
        f"SELECT {names} FROM {TABLE} WHERE id > %s ORDER BY id LIMIT %s".encode(),  # noqa: S608 - our names
        [after, count],
    ).fetchall()
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _record(source: str, row: Mapping[str, Any]) -> Any:
    from pacer_dashboard.records import DEFAULT_KEYS
    from pacer_dashboard.records.celery import read

    created = row.get("created_at")
    said = {name: value for name, value in row.items() if value is not None}
    said["processing_start"] = _time(row.get("processing_start") or created)
    said["processing_end"] = _time(row.get("processing_end") or row.get("processing_start") or created)
    said["error_message"] = _errors(row.get("error_message"))
    return read({"id": f"{source} {row['id']}", "kwargs": said}, {}, UTC, DEFAULT_KEYS)


def _time(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()


def _errors(text: str | None) -> Any:
    """Give what the other dashboard keeps as the text of a JSON object."""
    try:
        return json.loads(text) if text else {}
    except ValueError:
        return text
