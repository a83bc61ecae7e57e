"""A stand-in for DataCite, the demo facility in a sandbox, and a message's way through the tasks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pacer_core import Delivery
from pacer_datacite import Datacite
from pacer_http.testing import StandIn
from pacer_icat import IcatClient
from pacer_sandbox import IcatSandbox
from plugins.pacer_datacite.tests.lupo import Lupo, Repository
from plugins.pacer_datacite.tests.support import (
    OPTIONS,
    PASSWORD,
    PREFIX,
    REPOSITORY,
    Send,
    client_of,
    complete,
    deliver_to,
)
from plugins.pacer_icat.tests.support import icat_client


@pytest.fixture
def lupo() -> Lupo:
    """What DataCite holds."""
    return Lupo(
        Repository(REPOSITORY, PASSWORD, (PREFIX,), ("example.org",)),
        Repository("OTHER.REPO", "other", (PREFIX,), ("example.org",)),
    )


@pytest.fixture
def service(lupo: Lupo) -> Iterator[StandIn]:
    """DataCite at the wire."""
    with StandIn(lupo.answer) as service:
        yield service


@pytest.fixture
def datacite(service: StandIn) -> Iterator[Datacite]:
    """Our client, which asks again at once."""
    with client_of(service, **OPTIONS) as client:
        yield client


@pytest.fixture
def icat(icat_server: IcatSandbox) -> Iterator[IcatClient]:
    """ICAT with an investigation that has all that DataCite wants to know."""
    with icat_client(icat_server) as icat:
        complete(icat.shared)
        yield icat


@pytest.fixture
def send(icat: IcatClient, datacite: Datacite) -> Send:
    """Send a message through the tasks, every task twice."""

    def send(**changes: Any) -> Delivery:
        return deliver_to(icat, datacite, **changes)

    return send
