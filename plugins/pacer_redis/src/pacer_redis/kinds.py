"""Redis as PACER knows it."""

from __future__ import annotations

from typing import Any

from kombu import Connection

from pacer_core import Capabilities, TransportType
from pacer_redis.options import RedisOptions

CAPABILITIES = Capabilities(
    survives_kill=True,
    several_processes=True,
    several_hosts=True,
    delays=True,
    priorities=True,
    partitions=True,
)


def connect(options: RedisOptions, protocol: str) -> Any:
    """Give kombu's connection, unopened."""
    return Connection(
        transport="pacer_redis.transport:Transport",
        hostname=options.places[0],
        transport_options={"redis": options, "protocol": protocol},
    )


def address(options: RedisOptions, protocol: str) -> str:
    """Name a broker in errors and logs."""
    service = f"/{options.sentinel.service}" if options.sentinel is not None else f"/{options.database}"
    return f"{protocol}://{','.join(options.places)}{service}/{options.prefix}"


def account(options: RedisOptions) -> tuple[str, str, str] | None:
    """Give what a key is derived from: who has this password reads the same queues."""
    if options.password is None:
        return None
    return options.username or "default", options.password.reveal(), f"{options.database}/{options.prefix}"


REDIS = TransportType(
    protocols=("redis", "rediss"),
    options=RedisOptions,
    capabilities=CAPABILITIES,
    connect=connect,
    address=address,
    account=account,
)
