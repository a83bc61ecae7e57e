"""Fixtures for whoever writes for ICAT: pytest finds them when this package is installed."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pacer_sandbox.sandbox import IcatSandbox


@pytest.fixture(scope="session")
def icat_process() -> "Iterator[IcatSandbox]":
    """Return the ICAT sandbox of this session, with the demo facility; tests want ``icat_server``."""
    from pacer_sandbox.sandbox import IcatSandbox

    with IcatSandbox(seed="demo") as icat:
        yield icat


@pytest.fixture
def icat_server(icat_process: "IcatSandbox") -> "IcatSandbox":
    """Return a running ICAT sandbox that holds the demo facility and nothing else."""
    icat_process.reset()
    return icat_process


@pytest.fixture
def icat_client(icat_server: "IcatSandbox") -> Iterator[Any]:
    """Return a python-icat client, logged in as ``simple/root``."""
    icat = pytest.importorskip("icat", reason="needs python-icat: pip install 'pacer-sandbox[client]'")
    client = icat.Client(icat_server.wsdl)
    client.login("simple", {"username": "root", "password": "secret"})
    yield client
    client.logout()
