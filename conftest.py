"""Fixtures for the tests of the core and of every plugin."""

import signal
from collections.abc import Iterator

import pytest

from pacer_core.logs import secrets

pytest_plugins = ["tests.services.fixtures", "tests.support", "tests.lab"]


# A shell's background jobs ignore Ctrl-C, and so would every process that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _secrets_of_one_test_alone() -> Iterator[None]:
    """Forget the secrets that a test has made up: ``value`` would be hidden in every text after it."""
    before = set(secrets.known)
    yield
    secrets.known.intersection_update(before)
