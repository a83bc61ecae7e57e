"""Redis and Valkey as a broker: what PACER needs of RabbitMQ, as atomic scripts on lists with leases.

A connection that consumes is an owner with a lease, which a thread of its own renews. What an owner holds
goes back in front of its queue when it leaves, or when its lease has run out. `lua/prelude.lua` has the keys.
"""

from __future__ import annotations

from pacer_redis.kinds import REDIS
from pacer_redis.options import RedisOptions, Require, Sentinel, Tls

__all__ = ["REDIS", "RedisOptions", "Require", "Sentinel", "Tls"]
