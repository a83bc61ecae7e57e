"""While Payara is up and ICAT is not deployed yet, it answers 404 with a page: ICAT is away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pacer_icat import ICAT, IcatClient
from pacer_icat.client import Shared
from pacer_icat.datasets.task import DATASETS
from pacer_icat.faults import IcatAway
from pacer_icat.integration import check
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.support import dataset_message, deliver_to, options_for


@pytest.fixture(params=[False, True], ids=["new process", "logged in"])
def client(request: pytest.FixtureRequest, icat_server: IcatSandbox) -> Any:
    """A client that knows nothing yet, and one that has worked before."""
    shared = Shared(options_for(icat_server))
    client = IcatClient(shared)
    if request.param:
        client.objects("Facility").count()
        assert client.python_icat
    icat_server.misbehave.undeployed()
    yield client
    icat_server.misbehave.clear()
    shared.close()


ASKING: dict[str, Callable[[IcatClient], Any]] = {
    "check": check,
    "query": lambda icat: icat.objects("Facility").count(),
    "python-icat": lambda icat: icat.python_icat.search("SELECT f.name FROM Facility f"),
    "new": lambda icat: icat.new("Facility", name="x").create(),
}


@pytest.mark.parametrize("ask", ASKING.values(), ids=ASKING)
def test_it_is_away_whoever_asks(client: IcatClient, ask: Callable[[IcatClient], Any]) -> None:
    with pytest.raises(IcatAway, match=r"/ICATService/ICAT") as caught:
        ask(client)
    assert ICAT.is_away(caught.value)


def test_a_message_waits_and_is_handled_afterwards(client: IcatClient, icat_server: IcatSandbox) -> None:
    delivery = deliver_to(DATASETS, dataset_message(), client)
    assert [failure.kind for failure in delivery.failures] == ["retry"]
    assert "not deployed yet" in str(delivery.failures[0])
    icat_server.misbehave.away(False)
    assert not deliver_to(DATASETS, dataset_message(), client).failures
