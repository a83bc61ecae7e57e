"""The ledger of a test on Redis: the same books, with a wire that reads Redis' protocol."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from attrs import define

from pacer_redis import REDIS, RedisOptions
from tests.faults.ledger import Ledger
from tests.faults.redis_wire import RedisWire
from tests.lab import Lab
from tests.services import Redis

CONFIG = """
    brokers:
      main: {{protocol: redis, host: 127.0.0.1, port: {port}, lease: 2s, timeout: 2s{broker}}}
    queues: [{{name: jobs{queue}}}, {{name: children}}]
    consumers:
      - {{type: {kind}, queues: [jobs]{consumer}}}
      - {{type: children, queues: [children]}}
    {more}
    logging: {{logLevel: INFO}}
    health: {{enabled: false}}
    processes: {{stateFolder: {state}, shutdownGrace: {grace}}}
"""
_PATIENT = timedelta(seconds=60)


@define(eq=False)
class RedisLab(Lab):
    """A lab whose broker is a Redis of its own."""

    server: Redis | None = None

    @property
    def channel(self) -> Any:
        """A channel of a client that has nothing to do with PACER, past the wire."""
        assert self.server is not None
        assert REDIS.connect is not None
        if self._connection is None:
            options = RedisOptions(host="127.0.0.1", port=self.server.port, timeout=_PATIENT, lease=_PATIENT)
            self._connection = REDIS.connect(options, "redis")
            self._connection.connect()
        return self._connection.channel()

    def hang_up(self) -> None:
        """Close the client's connection, for the server is going to be killed."""
        if self._connection is not None:
            self._connection.release()
            self._connection = None

    def close(self) -> None:
        """Close the client's connection."""
        self.hang_up()


@define(eq=False)
class RedisLedger(Ledger):
    """The books of one test on a Redis."""

    text = CONFIG

    def held(self) -> int:
        """Count what retry queues keep for a queue that is gone: here it is in the depth of the queue."""
        return 0


def ledger_of(site: Any, server: Redis, record: Any) -> RedisLedger:
    """Open the ledger of a test on its server."""
    lab = RedisLab(site, None, "", server=server)  # type: ignore[arg-type]  # there is no RabbitMQ
    return RedisLedger(lab, RedisWire(server.port), record)
