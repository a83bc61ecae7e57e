from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pacer_embedded import capabilities, forget
from tests.contract.brokers import RABBITMQ, Broker


@pytest.fixture(params=["rabbitmq", "pacer+sqlite", "pacer+memory"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """An empty broker of each kind."""
    if request.param == "rabbitmq":
        node, vhost = request.getfixturevalue("rabbitmq"), request.getfixturevalue("rabbitmq_vhost")
        broker = Broker(node.url(vhost), RABBITMQ)
    else:
        where = f"///{tmp_path}/broker.sqlite" if request.param == "pacer+sqlite" else "//contract"
        url = f"{request.param}:{where}"
        broker = Broker(url, capabilities(url))
    yield broker
    broker.close()
    if request.param == "pacer+memory":
        forget(broker.url)
