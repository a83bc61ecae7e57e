"""Rows that come with a statement as one JSON document: in one statement, however many they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from django.db import connection

from pacer_dashboard.store.paper import iso

Columns = Mapping[str, str]
"""PostgreSQL's types of columns, by name."""


def run(statement: str, columns: Columns, rows: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Run a statement in which ``{given}`` stands for a query that gives rows; give what it returns.

    Times are given in UTC.
    """
    document = orjson.dumps([*rows], default=_text, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()
    with connection.cursor() as cursor:
        cursor.execute(statement.format(given=_query(columns)), [document])
        return cursor.fetchall() if cursor.description else []


def _query(columns: Columns) -> str:
    """Give a query of the rows; SQLite needs its condition, to read ``ON`` behind it as an insert's."""
    if connection.vendor == "postgresql":
        chosen = (
            f'(one->{"" if type_ == "jsonb" else ">"}{number})::{type_} AS "{name}"'
            for number, (name, type_) in _numbered(columns)
        )
        return f"SELECT {', '.join(chosen)} FROM jsonb_array_elements(%s::jsonb) AS given (one)"  # noqa: S608 - our own names
    chosen = (f"json_extract(value, '$[{number}]') AS \"{name}\"" for number, (name, _) in _numbered(columns))
    return f"SELECT {', '.join(chosen)} FROM json_each(%s) WHERE true"  # noqa: S608 - our own names


def _numbered(columns: Columns) -> Iterable[tuple[int, tuple[str, str]]]:
    return enumerate(columns.items())


def _text(time: datetime) -> str:
    if connection.vendor == "postgresql":
        return iso(time)
    return str(time.astimezone(UTC).replace(tzinfo=None))  # as Django writes it
