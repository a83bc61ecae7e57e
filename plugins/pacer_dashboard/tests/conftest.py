"""Databases for the dashboard's tests: each test has one of its own, as a copy of one that was made once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

os.environ.setdefault("SECRET_KEY", "for-tests-alone")

from pacer_dashboard import testing
from pacer_dashboard.place import FILE, Place
from pacer_dashboard.start import prepare
from tests.services import PostgreSQL

prepare()  # so that test modules may import models

COUNT = 200
"""How many messages a filled database was asked for; a few more are made from them."""


@pytest.fixture(scope="session")
def sqlite_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Make SQLite's file once without messages, and once with."""
    made: dict[str, Path] = {}
    for name in ("empty", "filled"):
        folder = tmp_path_factory.mktemp(name)
        with testing.database(Place(folder=folder)):
            if name == "filled":
                testing.fill(COUNT)
        made[name] = folder / FILE
    return made


@pytest.fixture(scope="session")
def postgresql_templates(postgresql: PostgreSQL) -> dict[str, str]:
    """Make a database once without messages, and once with."""
    made: dict[str, str] = {}
    for name in ("empty", "filled"):
        made[name] = f"dashboard_{name}_{uuid4().hex[:6]}"
        _create(postgresql, made[name])
        with testing.database(Place(url=postgresql.url(made[name]))):
            if name == "filled":
                testing.fill(COUNT)
    return made


def _create(server: PostgreSQL, name: str, template: str = "template0") -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())


def _place(request: pytest.FixtureRequest, tmp_path: Path, kind: str, content: str) -> Place:
    if kind == "sqlite":
        folder = tmp_path / "dashboard"
        folder.mkdir()
        shutil.copy(request.getfixturevalue("sqlite_files")[content], folder / FILE)
        return Place(folder=folder)
    server: PostgreSQL = request.getfixturevalue("postgresql")
    name = f"dashboard_{uuid4().hex[:10]}"
    _create(server, name, request.getfixturevalue("postgresql_templates")[content])
    return Place(url=server.url(name))


def _open(place: Place) -> Iterator[Place]:
    prepare(place)
    from django.db import connections

    yield place
    connections.close_all()


@pytest.fixture
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Give a SQLite database with messages of all kinds: `pacer_dashboard.testing.fill`."""
    yield from _open(_place(request, tmp_path, "sqlite", "filled"))


@pytest.fixture
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Give a SQLite database with tables and nothing in them."""
    yield from _open(_place(request, tmp_path, "sqlite", "empty"))


@pytest.fixture(params=["sqlite", "postgresql"])
def each_stored(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """As `stored`, once on SQLite and once on PostgreSQL."""
    yield from _open(_place(request, tmp_path, request.param, "filled"))


@pytest.fixture(params=["sqlite", "postgresql"])
def each_empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """As `empty`, once on SQLite and once on PostgreSQL."""
    yield from _open(_place(request, tmp_path, request.param, "empty"))
