"""The messages of an ICAT-PACER's dashboard are taken over, and once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from pacer_core import PacerError
from pacer_dashboard.commands import dashboard
from pacer_dashboard.place import Place
from tests.services import PostgreSQL

# The columns of upstream's model, as its migrations have left them.
TABLE = """
CREATE TABLE dashboard_message (id bigserial PRIMARY KEY, created_at timestamptz NOT NULL,
    processing_start timestamptz, processing_end timestamptz, processing_time float, hash varchar(255),
    message_type varchar(255) NOT NULL, object_identifiers jsonb, payload_format varchar(255) NOT NULL,
    payload jsonb NOT NULL, errored bool NOT NULL, error_message text, acknowledged bool NOT NULL,
    exchange_name varchar(255), routing_key varchar(255))
"""
START = datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.fixture
def source(postgresql: PostgreSQL) -> str:
    """A database as the other dashboard's, with 25 messages of nobody who is real."""
    with psycopg.connect(postgresql.url(), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS upstream")
        connection.execute("CREATE DATABASE upstream")
    url = postgresql.url("upstream")
    with psycopg.connect(url) as connection:
        connection.execute(TABLE)
        for number in range(25):
            at = START + timedelta(minutes=number)
            failed = number % 5 == 0
            connection.execute(
                "INSERT INTO dashboard_message (created_at, processing_start, processing_end, hash, "
                "message_type, object_identifiers, payload_format, payload, errored, error_message, "
                "acknowledged, exchange_name, routing_key) "
                "VALUES (%s, %s, %s, %s, %s, %s, 'json', %s, %s, %s, %s, 'ex', 'key')",
                (
                    at, None if number == 7 else at, None if number == 7 else at + timedelta(seconds=1),
                    f"{number:064x}", "dataset-ingestion", json.dumps({"investigation": f"HG-{number % 3}"}),
                    json.dumps(json.dumps({"n": number})), failed,
                    json.dumps({"icat": "it is off"}) if failed else "", number == 10,
                ),
            )  # fmt: skip
    return url


def test_an_import_takes_each_message_once_and_goes_on_where_it_was(empty: Place, source: str) -> None:
    from pacer_dashboard.commands.importing import name_of, take_over
    from pacer_dashboard.models import Rollup
    from pacer_dashboard.query import EVERYTHING, Filter, life, listing

    with psycopg.connect(source) as connection:
        steps = take_over(connection, name_of(source), batch=10)
        assert next(steps) == (10, 10, 0)  # and it is ended here
        assert [*take_over(connection, name_of(source), batch=10)] == [(20, 10, 0), (25, 15, 0)]
        assert [*take_over(connection, name_of(source), batch=10)] == []
    rows = listing.page(EVERYTHING, Filter()).rows
    assert len(rows) == 25
    assert sum(Rollup.objects.filter(step="m", task="").values_list("messages", flat=True)) == 25
    assert {row.reason for row in rows if row.failed} == {"it is off"}
    assert [row.acknowledged_by for row in rows if row.acknowledged_at] == ["import"]
    assert [row.arrived for row in rows] == [START + timedelta(minutes=24 - number) for number in range(25)]
    last = life.life(EVERYTHING, rows[0].correlation_id)
    assert json.loads(life.payload(EVERYTHING, rows[0].correlation_id, last.sights[0].id)) == {"n": 24}
    assert last.message.proposal == "HG-0"


def test_a_database_of_something_else_is_said_to_be_one(
    empty: Place, postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACER_DASHBOARD_DATABASE", str(empty.folder))
    with pytest.raises(PacerError, match="has no table dashboard_message"):
        dashboard.main(["import", postgresql.url()], standalone_mode=False)
