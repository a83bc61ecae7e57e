"""What a broker tells about itself and about the queues of a configuration, without taking a message."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amqp.exceptions import AMQPError, NotFound
from attrs import frozen

from pacer_core.config.model import Config
from pacer_core.model.errors import BrokerError
from pacer_core.transport.retry_policy import LADDER
from pacer_core.transport.topology import dead_queue, retry_exchange

_ASKED = 5  # times that a queue is asked at most, which seems to have nothing and took long to say so
_LATE = 0.2  # seconds after which the broker's answer about a queue may be none


@frozen
class QueueStatus:
    """One work queue and its dead queue; a number is ``None`` where there is no such queue yet."""

    name: str
    consumers: tuple[str, ...]
    """The consumers of the configuration that read it."""
    ready: int | None
    """How many messages wait; those in the hands of a worker do not count."""
    in_hand: int | None
    """How many are in somebody's hand; RabbitMQ does not tell that over AMQP, other brokers may."""
    readers: int | None
    """How many subscriptions the broker counts; of a single active consumer, it counts the active one."""
    dead: int | None


@frozen
class StepStatus:
    """One step of the ladder of retry queues; it holds the copies of all work queues."""

    seconds: int
    waiting: int | None


@frozen
class BrokerStatus:
    """What a broker that answers tells."""

    product: str
    version: str
    queues: tuple[QueueStatus, ...]
    steps: tuple[StepStatus, ...]


def read_status(connection: Any, config: Config) -> BrokerStatus:
    """Ask a broker for what it holds; nothing is declared, and no message is touched."""
    server = getattr(connection.connection, "server_properties", None) or {}
    queues = []
    for queue in (*config.queues, *config.partition_queues):
        work, dead = counts(connection, queue.name), counts(connection, dead_queue(queue.name))
        queues.append(
            QueueStatus(
                name=queue.name,
                consumers=tuple(plan.name for plan in config.readers(queue.name) if plan.config.enabled),
                ready=None if work is None else work[0],
                in_hand=None if work is None else _held(connection, queue.name),
                readers=None if work is None else work[1],
                dead=None if dead is None else dead[0],
            )
        )
    steps = []
    for seconds in LADDER:
        found = counts(connection, retry_exchange(seconds))
        steps.append(StepStatus(seconds, None if found is None else found[0]))
    return BrokerStatus(
        str(server.get("product", "")), str(server.get("version", "")), tuple(queues), tuple(steps)
    )


def _held(connection: Any, queue: str) -> int | None:
    channel = connection.channel()
    try:
        return int(channel.held(queue)) if hasattr(channel, "held") else None
    finally:
        channel.close()


@contextmanager
def losses() -> Iterator[None]:
    """Turn the end of a connection, or a refusal, into an error that the command line prints."""
    try:
        yield
    except (AMQPError, OSError) as error:
        raise BrokerError(
            f"lost the broker, or was refused: {error}; no message was removed by that"
        ) from None


def counts(connection: Any, queue: str) -> tuple[int, int] | None:
    """Give how many messages are ready in a queue and how many consumers it has; ``None`` without a queue.

    Of a quorum queue that does not answer it within 250 ms, RabbitMQ says that it has neither (3.10 and 4.0,
    ``rabbit_quorum_queue:stat``): what comes as late as that is asked for again.
    """
    with losses():
        for _ in range(_ASKED):
            channel, began = connection.channel(), time.monotonic()
            try:
                found = channel.queue_declare(queue=queue, passive=True)
            except NotFound:
                return None
            finally:
                channel.close()
            if found.message_count or found.consumer_count or time.monotonic() - began < _LATE:
                break
    return int(found.message_count), int(found.consumer_count)


def depth(connection: Any, queue: str) -> int | None:
    """Give how many messages a queue has ready, or ``None`` where there is no such queue."""
    found = counts(connection, queue)
    return None if found is None else found[0]
