"""Fixtures of the tests of faults, their long forms, and the table of what became of all messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import attrs
import pytest

from tests.faults.ledger import PLUGIN, Account, Ledger, total
from tests.faults.wire import Wire
from tests.lab import Lab
from tests.services import RabbitMQ
from tests.support import Site

long = pytest.mark.long
Scale = Callable[[int, int], int]
ACCOUNTS = pytest.StashKey[list[Account]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="the faults at full length: nox -s faults-long")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ACCOUNTS] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--long", default=False):
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("long")])
        items[:] = [item for item in items if not item.get_closest_marker("long")]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the accounts of all faults."""
    accounts = config.stash[ACCOUNTS]
    if not accounts:
        return
    names = [one.name for one in attrs.fields(Account)]
    rows = [[str(getattr(one, name)) for name in names] for one in [*accounts, total(accounts)]]
    width = max(len(row[0]) for row in rows)
    terminalreporter.section("what became of every message")
    for first, *others in [names, *rows]:
        terminalreporter.write_line(first.ljust(width) + "".join(one.rjust(10) for one in others))


@pytest.fixture
def scale(request: pytest.FixtureRequest) -> Scale:
    """Give the first of two numbers, or the second one in the long form."""
    at_length = bool(request.config.getoption("--long", default=False))
    return lambda short, longer: longer if at_length else short


@pytest.fixture
def books(site: Site, request: pytest.FixtureRequest) -> Iterator[Callable[[RabbitMQ, str], Ledger]]:
    """Open the ledger of a test on some node and virtual host."""
    site.install("ledger-pacer", PLUGIN)
    opened: list[Ledger] = []

    def open_(node: RabbitMQ, vhost: str) -> Ledger:
        ledger = Ledger(Lab(site, node, vhost), Wire(node.port), request.config.stash[ACCOUNTS].append)
        opened.append(ledger)
        return ledger

    yield open_
    for ledger in opened:
        with closing(ledger.lab), closing(ledger.wire):
            pass


@pytest.fixture
def ledger(books: Callable[[RabbitMQ, str], Ledger], rabbitmq: RabbitMQ, rabbitmq_vhost: str) -> Ledger:
    """The ledger of a test on the node of the session."""
    return books(rabbitmq, rabbitmq_vhost)
