"""Databases for the dashboard's tests: each test has one of its own, as a copy of one that was made once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest

os.environ.setdefault("SECRET_KEY", "for-tests-alone-and-of-no-use-to-anybody-who-reads-it-anywhere")

from pacer_dashboard import testing
from pacer_dashboard.place import FILE, Place
from pacer_dashboard.start import prepare
from pacer_dashboard.testing_site import Site
from tests.services import PostgreSQL, ServiceMissingError
from tests.services.fixtures import skip_without_program

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

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


def create_database(server: PostgreSQL) -> str:
    """Make a database without tables, and give its address."""
    name = f"dashboard_{uuid4().hex[:10]}"
    _create(server, name)
    return server.url(name)


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


@pytest.fixture(scope="session")
def new_place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], Place]:
    """Make databases of a kind (``sqlite``, ``postgresql``), ``empty`` or ``filled``; the test opens them."""
    return lambda kind, content: _place(request, tmp_path_factory.mktemp("place"), kind, content)


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


@pytest.fixture
def testserver() -> Iterator[None]:
    """Let Django's own client in, which calls us by this name."""
    from django.test import override_settings

    hashed = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # Argon2 is slow on purpose
    with override_settings(ALLOWED_HOSTS=["testserver", "127.0.0.1", "localhost"], PASSWORD_HASHERS=hashed):
        yield


# What tests in a browser share: one browser and one served dashboard a session. The browser's loop runs in
# this thread as long as it is open: Django has to be told that this is meant.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
CHROMIUM = os.environ.get("PACER_CHROMIUM", "/usr/bin/chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Debian's chromium, without a window; while it runs, nothing else can run an event loop here."""
    with skip_without_program():
        if not Path(CHROMIUM).exists():
            raise ServiceMissingError(f"{CHROMIUM} is not installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site(sqlite_files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve a dashboard with messages of all kinds: tests add their own, of types of their own."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(sqlite_files["filled"], folder / FILE)
    site = Site(Place(folder=folder), folder)
    site.start()
    yield site
    site.stop()


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """Open a page of somebody who is logged in and may do everything; no script of it may fail."""
    yield from open_page(browser, site.session())


def open_page(browser: Browser, cookie: dict[str, str], **options: Any) -> Iterator[Page]:
    """Open a page with a session's cookie, and fail at the end where its policy or a script was broken."""
    options = {"viewport": {"width": 1440, "height": 900}, **options}
    context = browser.new_context(**options)
    context.set_default_timeout(60_000)
    context.add_cookies([cookie])  # type: ignore[list-item]
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None
    )
    yield page
    context.close()
    assert not wrong


@pytest.fixture(autouse=True)
def _nobody_sends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let batches of messages wait until a test sends them; served dashboards are other processes."""
    monkeypatch.setattr("pacer_dashboard.again.host.wake", lambda: None)
