"""The demo facility in a sandbox, our client there, and a plain python-icat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pacer_core import Delivery, Outcome
from pacer_icat import IcatClient
from pacer_icat.datasets.options import DatasetsOptions
from pacer_icat.datasets.task import DATASETS
from pacer_icat.schema import Entity
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.people import Sync, deliver_investigation, investigation_message
from plugins.pacer_icat.tests.support import Send, deliver_to, icat_client


@pytest.fixture
def icat(icat_server: IcatSandbox) -> Iterator[IcatClient]:
    """Our client, on the demo facility."""
    with icat_client(icat_server) as icat:
        yield icat


@pytest.fixture
def reader(icat_server: IcatSandbox) -> Iterator[IcatClient]:
    """Our client with an account that may only read."""
    with icat_client(icat_server, username="reader") as icat:
        yield icat


@pytest.fixture(scope="session")
def _plain(icat_process: IcatSandbox) -> Iterator[Any]:
    import icat

    client = icat.Client(icat_process.wsdl)
    yield client
    client.logout()


@pytest.fixture
def plain(_plain: Any, icat_server: IcatSandbox) -> Any:
    """A python-icat client as it comes, to read back what was written."""
    _plain.login("simple", {"username": "root", "password": "secret"})
    return _plain


@pytest.fixture
def send(icat: IcatClient) -> Send:
    """Send a dataset message through the consumer type, every task twice."""

    def send(body: Any, **options: Any) -> Delivery:
        return deliver_to(DATASETS, body, icat, options=DatasetsOptions(**options))

    return send


@pytest.fixture
def entities(icat: IcatClient) -> list[Entity]:
    """What every process would ask for first; known beforehand to keep the number of calls small."""
    wire = icat.shared.wire
    return [wire.schema.entity(name) for name in wire.entity_names()]


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no deadlock."""
    monkeypatch.setattr("pacer_icat.wire.time.sleep", lambda _: None)


@pytest.fixture
def sync(icat: IcatClient) -> Sync:
    """Send a message about the new visit, with every task twice."""

    def sync(
        outcome: Outcome = Outcome.ACKED, options: dict[str, Any] | None = None, **changes: Any
    ) -> Delivery:
        delivery = deliver_investigation(investigation_message(**changes), icat, **(options or {}))
        assert delivery.outcome is outcome, delivery.error
        return delivery

    return sync
