"""The facility of each test, on a virtual host of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from pacer_core.config import load
from pacer_core.transport.connection import connect
from pacer_core.transport.topology import declare
from tests.e2e.dead_letters.facility import CONFIG, PLUGIN, Facility
from tests.services import RabbitMQ
from tests.support import Site


@pytest.fixture
def facility(
    site: Site, rabbitmq: RabbitMQ, rabbitmq_vhost: str, request: pytest.FixtureRequest
) -> Iterator[Facility]:
    """A facility on a virtual host of its own; with the parameter ``classic``, on classic queues."""
    site.install("sample-pacer", PLUGIN)
    kind = getattr(request, "param", "quorum")
    file = site.write(CONFIG.format(port=rabbitmq.port, vhost=rabbitmq_vhost, type=kind))
    here = Facility(site, file, load(file))
    with closing(connect(here.config.broker, "test")) as connection:
        if kind == "classic":
            connection.channel().queue_declare(queue="samples.dead", durable=True, auto_delete=False)
        else:
            declare(connection, here.config)
    with closing(here.publisher):
        yield here
