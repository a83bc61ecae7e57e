"""Dead-lettering: what becomes of messages that expire or are rejected.

As on RabbitMQ: a queue with ``x-dead-letter-exchange`` passes them on, with the routing key of
``x-dead-letter-routing-key`` or their own, and with an ``x-death`` header; any other queue drops them. With
``x-dead-letter-strategy: at-least-once`` a message for which no queue is found is kept and tried again every
second; without it, it is dropped.

The headers are written here, so it takes two steps: look at the messages, then move them. The second one
moves what is still where it was, so that it does not matter who else does the same.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from pacer_channel import EXPIRED, HEADERS, REJECTED, Topology, note_death, rules
from pacer_redis.catalogue import Catalogue, Queue
from pacer_redis.contents import pack_again, unpack
from pacer_redis.scripts import Scripts

_AT_ONCE = 200


def sweep(scripts: Scripts, catalogue: Catalogue) -> bool:
    """Dead-letter or drop some of what has expired, the oldest first; tell whether there was any."""
    found: list[bytes] = scripts.run("due", _AT_ONCE)
    dying = [
        (member, reason.decode() or EXPIRED, content)
        for member, reason, content in zip(found[::3], found[1::3], found[2::3], strict=True)
    ]
    if dying:
        _bury(catalogue, "", dying)
    return bool(dying)


def reject(scripts: Scripts, catalogue: Catalogue, owner: str, members: Sequence[bytes]) -> None:
    """Dead-letter or drop messages that an owner holds."""
    contents: list[bytes] = scripts.run("bodies", *members)
    _bury(
        catalogue,
        owner,
        [(member, REJECTED, content) for member, content in zip(members, contents, strict=True)],
    )


def _bury(catalogue: Catalogue, owner: str, dying: Sequence[tuple[bytes, str, bytes]]) -> None:
    now = int(time.time() * 1000)

    def arguments(topology: Topology[Queue]) -> list[Any]:
        by_number = {queue.number: queue for queue in topology.queues.values()}
        words: list[Any] = [owner]
        for member, reason, content in dying:
            queue = by_number.get(member.split(b":")[0].decode())
            letter, targets, count = _letter(topology, queue, reason, content, now)
            words += [member, reason, letter, count]
            words += [word for target in targets for word in target]
        return words

    catalogue.step("bury", arguments)  # not confirmed: what a failover undoes is where it was before


def _letter(
    topology: Topology[Queue], queue: Queue | None, reason: str, content: bytes, now: int
) -> tuple[bytes, list[tuple[str, int, int]], int]:
    """Give a dead letter, where it goes (number, rank, wait), and how many those are; -1 keeps it waiting."""
    if queue is None or queue.dead_letter_exchange is None or not content:
        return b"", [], 0
    message = unpack(content)
    exchange = queue.dead_letter_exchange
    key = queue.arguments.get("x-dead-letter-routing-key", message.routing_key)
    properties = note_death(
        message.properties, queue.name, reason, message.exchange, message.routing_key, now
    )
    found = topology.route(exchange, key, properties[HEADERS])
    if not found:
        return b"", [], -1 if queue.keeps_dead_letters else 0
    targets = [
        (one.number, rules.rank_of(properties, one), -1 if one.ttl is None else one.ttl) for one in found
    ]
    return pack_again(message, exchange, key, properties), targets, len(targets)
