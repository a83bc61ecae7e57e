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


@pytest.fixture(scope="session")
def icat_client_of_session(icat_process: "IcatSandbox") -> Any:
    """Return a python-icat client that nobody is logged in with: making one takes 56 calls."""
    icat = pytest.importorskip("icat", reason="needs python-icat: pip install 'pacer-sandbox[client]'")
    return icat.Client(icat_process.wsdl)


@pytest.fixture
def icat_client(icat_server: "IcatSandbox", icat_client_of_session: Any) -> Iterator[Any]:
    """Return a python-icat client, logged in as ``simple/root``; the data are fresh for each test."""
    client = icat_client_of_session
    client.login("simple", {"username": "root", "password": "secret"})
    yield client
    icat_server.misbehave.clear()
    if client.sessionId:
        client.logout()
