"""Redis keeps what every transport does."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest

from pacer_contract import Broker
from pacer_contract.tests import *  # noqa: F403
from pacer_redis import REDIS, RedisOptions
from tests.services import Redis


@pytest.fixture
def broker(redis_server: Redis) -> Iterator[Broker]:
    """An empty broker: a name that nobody else has, in a Redis for all tests."""
    options = RedisOptions(
        host="127.0.0.1", port=redis_server.port, prefix=uuid4().hex, lease=timedelta(seconds=2)
    )
    with Broker(REDIS, options) as broker:
        yield broker
