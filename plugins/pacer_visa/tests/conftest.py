"""A database of VISA's for each test, in both shapes, and the client there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from pacer_core import Secret
from pacer_visa import Visa, VisaOptions
from plugins.pacer_visa.tests.schema import VARIANTS
from tests.services import PostgreSQL

Read = Callable[..., list[Any]]


@pytest.fixture(scope="session")
def templates(postgresql: PostgreSQL) -> PostgreSQL:
    """The server, with a database to copy for each shape."""
    with psycopg.connect(postgresql.url(), autocommit=True) as connection:
        for name in VARIANTS:
            connection.execute(f"CREATE DATABASE visa_{name}")
    for name, ddl in VARIANTS.items():
        with psycopg.connect(postgresql.url(f"visa_{name}"), autocommit=True) as connection:
            connection.execute(ddl)
    return postgresql


@pytest.fixture(params=sorted(VARIANTS))
def database(templates: PostgreSQL, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a database that this test alone uses."""
    name = "visa_test"
    with psycopg.connect(templates.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE visa_{request.param}")
        yield name
    templates.start()
    with psycopg.connect(templates.url(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def options(templates: PostgreSQL, database: str) -> VisaOptions:
    """How to reach it."""
    return VisaOptions(
        host="127.0.0.1",
        port=templates.port,
        database=database,
        username="pacer",
        password=Secret("pass w'ord"),
        time_zone="Europe/Madrid",
        ssl_mode="disable",
        connect_timeout=timedelta(milliseconds=1),
    )


@pytest.fixture
def visa(options: VisaOptions) -> Iterator[Visa]:
    """The client."""
    client = Visa(options)
    client.open()
    yield client
    client.close()


@pytest.fixture
def read(templates: PostgreSQL, database: str) -> Iterator[Read]:
    """Run a statement as an administrator of VISA would, and give its rows."""
    with psycopg.connect(templates.url(database), autocommit=True) as connection:
        connection.execute("SET search_path = visa")

        def run(statement: str, *values: Any) -> list[Any]:
            rows = connection.execute(statement.encode(), values)
            return rows.fetchall() if rows.description else []

        yield run
