"""A SciCat, and a facility with schemas and files; ``--scicat-url`` names a real one for the contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pacer_core import Secret
from pacer_scicat import Scicat
from pacer_scicat.testing import ScicatStandIn
from plugins.pacer_scicat.tests.support import Facility, client_of


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the client be tested on a real backend."""
    parser.addoption("--scicat-url", help="a real SciCat, which the tests of the client write to")
    parser.addoption("--scicat-user", default="datasetIngestor", help="the account there")
    parser.addoption("--scicat-password", help="its password; by default pw- and the account's name")


@pytest.fixture
def scicat() -> Iterator[ScicatStandIn]:
    """A stand-in for SciCat."""
    with ScicatStandIn() as scicat:
        yield scicat


@pytest.fixture
def client(scicat: ScicatStandIn) -> Iterator[Scicat]:
    """Our client."""
    with client_of(scicat.url) as client:
        yield client


@pytest.fixture
def anywhere(request: pytest.FixtureRequest, scicat: ScicatStandIn) -> Iterator[Scicat]:
    """A client of the backend that is named, or else of the stand-in."""
    url = request.config.getoption("--scicat-url", default=None)
    account = {}
    if url is not None:
        username = request.config.getoption("--scicat-user")
        password = request.config.getoption("--scicat-password") or f"pw-{username}"
        account = {"username": username, "password": Secret(password)}
    with client_of(url or scicat.url, **account) as client:
        yield client


@pytest.fixture
def facility(tmp_path: Path, scicat: ScicatStandIn, client: Scicat) -> Facility:
    """A facility with one schema."""
    facility = Facility(tmp_path, scicat, client)
    facility.data.mkdir()
    facility.schema()
    return facility
