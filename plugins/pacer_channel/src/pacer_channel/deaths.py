"""What a message that is dead-lettered carries on: RabbitMQ's ``x-death``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pacer_channel.codec import EXPIRATION, HEADERS

EXPIRED = "expired"
REJECTED = "rejected"


def note_death(
    properties: Mapping[str, Any], queue: str, reason: str, exchange: str, routing_key: str, now: int
) -> dict[str, Any]:
    """Give the properties of a dead letter: one table for each queue and reason, the latest in front.

    `now` is in milliseconds since 1970. An ``expiration`` has been used up, and is kept in the table.
    """
    noted = dict(properties)
    headers = dict(noted.get(HEADERS) or {})
    earlier = headers.get("x-death")
    deaths = [one for one in earlier if isinstance(one, dict)] if isinstance(earlier, list) else []
    death: dict[str, Any] = {
        "count": 1,
        "reason": reason,
        "queue": queue,
        "time": datetime.fromtimestamp(now // 1000, UTC),
        "exchange": exchange,
        "routing-keys": [routing_key],
    }
    expiration = noted.pop(EXPIRATION, None)
    if expiration is not None:
        death["original-expiration"] = expiration
    for one in deaths:
        if one.get("queue") == queue and one.get("reason") == reason:
            deaths.remove(one)
            death = {**one, "count": one.get("count", 0) + 1}
            break
    headers["x-death"] = [death, *deaths]
    headers.setdefault("x-first-death-queue", queue)
    headers.setdefault("x-first-death-reason", reason)
    headers.setdefault("x-first-death-exchange", exchange)
    noted[HEADERS] = headers
    return noted
