"""RabbitMQ keeps what every transport does."""

from collections.abc import Iterator
from typing import Any

import pytest
from attrs import evolve

from pacer_contract import Broker
from pacer_contract.tests import *  # noqa: F403
from pacer_core.config.model import AMQP, Amqp
from pacer_core.config.sections import Port
from pacer_core.transport.connection import unopened
from tests.services import RabbitMQ


def connect(options: Amqp, protocol: str) -> Any:
    ((host, port),) = options.addresses(protocol)
    return unopened(options, protocol, host, port, "contract")


@pytest.fixture
def broker(rabbitmq: RabbitMQ, rabbitmq_vhost: str) -> Iterator[Broker]:
    """An empty virtual host."""
    options = Amqp(host="127.0.0.1", port=Port(rabbitmq.port), v_host=rabbitmq_vhost)
    with Broker(evolve(AMQP, connect=connect), options) as broker:
        yield broker
