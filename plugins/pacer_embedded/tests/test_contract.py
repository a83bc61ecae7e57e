"""The brokers in a file and in memory keep what every transport does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pacer_contract import Broker
from pacer_contract.tests import *  # noqa: F403
from pacer_embedded import FILE, IN_MEMORY, MEMORY, FileOptions, MemoryOptions, forget


@pytest.fixture(params=["sqlite", "memory"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """An empty broker of each kind."""
    empty = (
        Broker(FILE, FileOptions(path=str(tmp_path / "broker.sqlite")))
        if request.param == "sqlite"
        else Broker(MEMORY, MemoryOptions())
    )
    with empty:
        yield empty
    forget(IN_MEMORY)
