"""kombu's face of Redis."""

from __future__ import annotations

from typing import Any

import redis

from pacer_channel import Transport as ChannelTransport
from pacer_redis.store import RedisStore


class Transport(ChannelTransport):
    """The transport behind `redis` and `rediss`."""

    driver_type = "pacer"
    driver_name = "redis"

    def driver_version(self) -> str:
        """Give redis-py's version."""
        return redis.__version__

    def open_store(self, client: Any) -> RedisStore:
        """Open the Redis that the options name.

        Raises
        ------
        BrokerError
            Where it does not keep what the configuration demands, or cannot be used.
        amqp.exceptions.RecoverableConnectionError
            Where it cannot be reached.
        """
        options = client.transport_options
        return RedisStore(options["redis"], options["protocol"])
