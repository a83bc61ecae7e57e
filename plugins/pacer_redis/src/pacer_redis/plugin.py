"""What the plugin registers: the protocols ``redis`` and ``rediss``."""

from __future__ import annotations

from collections.abc import Iterator

from pacer_core import TransportType, hookimpl
from pacer_redis.kinds import REDIS


@hookimpl
def pacer_transports() -> Iterator[TransportType]:
    """Give Redis."""
    yield REDIS
