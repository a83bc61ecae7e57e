"""The vendor's mock of ICAT+, the demo facility in a sandbox, and a folder of images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pacer_core import Delivery
from pacer_http.testing import StandIn
from pacer_icat import IcatClient
from pacer_icatplus import IcatPlus
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.support import icat_client
from plugins.pacer_icatplus.tests.support import Send, Visit, client_of, deliver_to, prepare
from plugins.pacer_icatplus.tests.vendor import Proxy, vendor_mock


@pytest.fixture(scope="session")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of the vendor's mock."""
    with vendor_mock(tmp_path_factory.mktemp("vendor") / "log") as port:
        yield port


@pytest.fixture
def proxy(vendor: int) -> Proxy:
    """What the mock has taken in this test."""
    return Proxy(vendor)


@pytest.fixture
def service(proxy: Proxy) -> Iterator[StandIn]:
    """ICAT+ at the wire."""
    with StandIn(proxy.answer) as service:
        yield service


@pytest.fixture
def visit(tmp_path: Path) -> Visit:
    """A folder for images."""
    visit = Visit(tmp_path / "data")
    visit.location.mkdir(parents=True)
    return visit


@pytest.fixture
def server(service: StandIn, visit: Visit) -> Iterator[IcatPlus]:
    """Our client."""
    with client_of(service, visit.root) as client:
        yield client


@pytest.fixture
def icat(icat_server: IcatSandbox) -> Iterator[IcatClient]:
    """ICAT with the parameter types of galleries."""
    with icat_client(icat_server) as icat:
        prepare(icat.shared)
        yield icat


@pytest.fixture
def send(icat: IcatClient, server: IcatPlus) -> Send:
    """Send a message through the tasks, every task twice."""

    def send(message: Any) -> Delivery:
        return deliver_to(icat, server, message)

    return send
