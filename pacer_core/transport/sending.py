"""Messages to consumers and queues of a configuration, by their names: for commands, and for tests."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from uuid import uuid4

from pacer_core.config.model import Config
from pacer_core.model.errors import PacerError
from pacer_core.model.secrets import screen
from pacer_core.model.services import Publication
from pacer_core.model.suggestions import did_you_mean
from pacer_core.transport.connection import connect
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.topology import declare


class UnknownDestinationError(PacerError):
    """The configuration has no consumer or queue of a name."""


def send(config: Config, publications: Sequence[Publication]) -> list[str]:
    """Publish each by the exchange of its queue, and give the correlation ids once all are confirmed.

    Raises
    ------
    UnknownDestinationError
        Where one is for nobody; none of them is sent.
    BrokerError
        Where the broker cannot be reached, or does not take a message.
    """
    messages = [_outgoing(config, one) for one in publications]
    with closing(connect(config.broker, "send")) as connection:
        declare(connection, config)
    with closing(Publisher(config.broker)) as publisher:
        publisher.publish(messages)
    return [message.properties["correlation_id"] for message in messages]


def _outgoing(config: Config, publication: Publication) -> Outgoing:
    queues = {queue.name: queue.name for queue in config.queues} | {
        plan.name: plan.config.queues[0] for plan in (*config.disabled, *config.consumers)
    }
    if publication.to not in queues:
        names = screen(", ".join(plan.name for plan in config.consumers))
        meant = did_you_mean(publication.to, queues)
        raise UnknownDestinationError(
            f"no consumer or queue {publication.to!r} in {config.file}{meant}; there are: {names}"
        )
    exchange, routing_key = config.queue(queues[publication.to]).address
    properties = {"delivery_mode": 2, "correlation_id": publication.message_id or str(uuid4())}
    if publication.content_type is not None:
        properties["content_type"] = publication.content_type
    if publication.message_id is not None:
        properties["message_id"] = publication.message_id
    return Outgoing(exchange, routing_key, publication.body, publication.headers, properties)
