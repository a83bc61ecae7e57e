"""Fixtures of the tests of faults, and the table of what became of all messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import attrs
import pytest

from tests.faults.accounts import Account, total
from tests.faults.jobs import PLUGIN
from tests.faults.ledger import Ledger
from tests.faults.redis_books import RedisLedger, ledger_of
from tests.faults.wire import Wire
from tests.lab import Lab
from tests.services import RabbitMQ, Redis
from tests.support import Site

ACCOUNTS = pytest.StashKey[list[Account]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ACCOUNTS] = []


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the accounts of all faults, as a table in Markdown."""
    accounts = config.stash[ACCOUNTS]
    if not accounts:
        return
    names = [one.name for one in attrs.fields(Account)]
    rows = [[f"{getattr(one, name)}" for name in names] for one in [*accounts, total(accounts)]]
    width = max(len(row[0]) for row in rows)
    terminalreporter.section("what became of every message")
    rule = ["-" * width, *("-" * 7 + ":" for _ in names[1:])]
    for first, *others in [names, rule, *rows]:
        cells = [first.ljust(width), *(one.rjust(8) for one in others)]
        terminalreporter.write_line(f"| {' | '.join(cells)} |")


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
            if not ledger.judged:  # the test has failed before
                name = f"NOT JUDGED: {request.node.name}"
                request.config.stash[ACCOUNTS].append(Account(name, sent=len(ledger.sent)))


@pytest.fixture
def on_redis(
    site: Site, request: pytest.FixtureRequest, start_redis: Callable[..., Redis]
) -> Iterator[RedisLedger]:
    """The ledger of a test on a Redis of its own."""
    site.install("ledger-pacer", PLUGIN)
    server = start_redis()
    ledger = ledger_of(site, server, request.config.stash[ACCOUNTS].append)
    yield ledger
    with closing(ledger.lab), closing(ledger.wire):
        if not ledger.judged:
            name = f"NOT JUDGED: {request.node.name}"
            request.config.stash[ACCOUNTS].append(Account(name, sent=len(ledger.sent)))


@pytest.fixture
def ledger(books: Callable[[RabbitMQ, str], Ledger], rabbitmq: RabbitMQ, rabbitmq_vhost: str) -> Ledger:
    """The ledger of a test on the node of the session."""
    return books(rabbitmq, rabbitmq_vhost)
