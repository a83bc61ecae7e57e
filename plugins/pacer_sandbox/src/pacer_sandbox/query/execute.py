"""Running a query and making its answer."""

import sqlite3
import time
from typing import Any
from zoneinfo import ZoneInfo

from pacer_sandbox import times
from pacer_sandbox.errors import IcatError
from pacer_sandbox.query.access import Access
from pacer_sandbox.query.include import Record, fill
from pacer_sandbox.query.select import Compiled, Item
from pacer_sandbox.schema import Schema

Row = tuple[Any, ...]


def run(
    compiled: Compiled,
    connection: sqlite3.Connection,
    schema: Schema,
    *,
    access: Access,
    zone: ZoneInfo,
    max_entities: int,
) -> list[Row]:
    """Run a query: one tuple per row, with stored values for scalars and records for objects.

    Raise ``IcatError``: VALIDATION for more than ``max_entities`` objects, INTERNAL for answers on
    which the real server breaks (two objects in a row; one nullable scalar whose first value is null).
    """
    if compiled.sql is None:
        return [(0,)] if compiled.lone_count else []
    wanted = compiled.number or max_entities + 1  # 0 is no limit
    now = int(time.time())
    parameters = {
        **compiled.parameters,
        "user": access.user,
        "now": now,
        "today": _midnight(now, zone),
        "limit": min(wanted, max_entities + 1),
        "offset": compiled.offset,
    }
    try:
        rows: list[Row] = connection.execute(compiled.sql, parameters).fetchall()
    except (sqlite3.Error, OverflowError) as error:
        raise IcatError("INTERNAL", f"the database refuses the query: {error}") from error
    if len(rows) > max_entities:
        raise IcatError("VALIDATION", f"attempt to process more than {max_entities} entities")
    if compiled.hidden:
        rows = [row[:-1] for row in rows]
    if any(item.names for item in compiled.items):
        return _objects(compiled, rows, connection, schema, access, max_entities)
    if len(compiled.items) == 1 and rows and rows[0][0] is None and any(row[0] is not None for row in rows):
        raise IcatError("INTERNAL", "the first value is null")
    return rows


def _objects(
    compiled: Compiled,
    rows: list[Row],
    connection: sqlite3.Connection,
    schema: Schema,
    access: Access,
    max_entities: int,
) -> list[Row]:
    if not rows:
        return []
    if len(compiled.items) > 1:
        raise IcatError("INTERNAL", "an object can only be selected alone")
    found = [record(compiled.items[0], row) for row in rows]
    if compiled.include:
        fill(connection, [one for one in found if one], compiled.include, schema, access, max_entities)
    return [(one,) for one in found]


def record(item: Item, row: Row) -> Record | None:
    """Return the object in a row, or ``None`` where an outer join found none."""
    return {name: value for name, value in zip(item.names, row, strict=True) if value is not None} or None


def _midnight(now: int, zone: ZoneInfo) -> int:
    local = times.to_local(now, zone)
    return times.local_to_seconds(local.replace(hour=0, minute=0, second=0, tzinfo=None), zone)
