"""Tests that have a long form: ``--long`` runs it, and those that have no other."""

from __future__ import annotations

from collections.abc import Callable

import pytest

long = pytest.mark.long
Scale = Callable[[int, int], int]
LIMIT = 900
"""Seconds after which a test at full length is given up; the others go on."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="tests at full length: nox -s faults-long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        for item in items:
            item.add_marker(pytest.mark.timeout(LIMIT))
    else:
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("long")])
        items[:] = [item for item in items if not item.get_closest_marker("long")]


@pytest.fixture
def scale(request: pytest.FixtureRequest) -> Scale:
    """Give the first of two numbers, or the second one in the long form."""
    at_length = bool(request.config.getoption("--long"))
    return lambda short, longer: longer if at_length else short
