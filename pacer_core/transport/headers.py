"""PACER's own headers, and which of a publisher's go with a copy.

All names begin with ``x-pacer-``; ``x-pacer-version`` is the format's. Together they stay under 16 KiB: a
header frame over 131,064 bytes makes RabbitMQ close the connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pacer_core.transport.header_size import LIMIT

PREFIX = "x-pacer-"
VERSION = 1
FIELDS_SHOWN = 20

SHORT_STRING = 255
"""How many bytes AMQP's short strings have at most."""
LONGEST = LIMIT // 2
"""Nothing that PACER writes is longer, but for facts."""

DROPPED_HEADERS = (
    "CC",
    "BCC",
    "x-death",
    "x-first-death-exchange",
    "x-first-death-queue",
    "x-first-death-reason",
    "x-last-death-exchange",
    "x-last-death-queue",
    "x-last-death-reason",
)
"""A publisher's, which no copy may have."""
COUNTERS = ("x-delivery-count", "x-acquired-count")
"""What quorum queues count at each return: it is true of one queue, and no publisher's."""


def own_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Give PACER's own headers, by their names without the prefix."""
    return {name.removeprefix(PREFIX): value for name, value in headers.items() if name.startswith(PREFIX)}


def new_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Give headers without what a copy alone may say: of PACER's own, the id and the path stay."""
    kept = {f"{PREFIX}correlation-id", f"{PREFIX}path"}
    return {name: value for name, value in headers.items() if name in kept or not name.startswith(PREFIX)}


def plain_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Give a publisher's headers without those that would send a copy astray, and those of the broker."""
    return {
        name: value for name, value in headers.items() if name not in DROPPED_HEADERS and name not in COUNTERS
    }
