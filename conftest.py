"""Fixtures for the tests of the core and of every plugin."""

import os
import signal
from collections.abc import Iterator

import pytest

from pacer_core.model import secrets

pytest_plugins = ["tests.services.fixtures", "tests.support", "tests.lab", "tests.at_length", "tests.twice"]


_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# A shell's background jobs ignore Ctrl-C, what runs under nohup a hang-up, and so would every process that a
# test starts and sends one.
for _number in _SIGNALS:
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)


@pytest.fixture(autouse=True)
def _signals_of_one_test_alone() -> Iterator[None]:
    """Give signals their handlers back: `pacer run` leaves its process deaf, and tests run it in this one."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session", autouse=True)
def _state_of_this_run_alone(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what a configuration without a state folder leaves behind out of the home of whoever tests."""
    os.environ.setdefault("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))


@pytest.fixture(autouse=True)
def _secrets_of_one_test_alone() -> Iterator[None]:
    """Forget the secrets that a test has made up: ``value`` would be hidden in every text after it."""
    before, strong = set(secrets.known), set(secrets._strong)
    yield
    secrets.known.intersection_update(before)
    secrets._strong.intersection_update(strong)
    secrets._patterns.clear()  # they are made anew when there are more secrets, which there need not be now
