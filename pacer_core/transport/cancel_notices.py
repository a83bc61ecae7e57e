"""Having RabbitMQ 3 say that a queue was deleted, also where there is one of its name again.

AMQP says so by ``basic.cancel``. RabbitMQ 3 first subscribes the consumers anew to the queue of that name,
for mirrored queues' sake (``rabbit_channel:handle_consuming_queue_down_or_eol``; 4.0 always cancels). Where
somebody has declared one meanwhile that succeeds, and then the channel forgets the new queue: nobody is told,
the consumer counts as one, and is sent messages that its channel hands to nobody as long as it is open.

So what RabbitMQ tries there has to fail. A consumer of a classic queue asks for that by an argument, which
other types of queues refuse. Those take no consumer on a channel that has a prefetch of its own, beside that
of each consumer, and the consumers that are there do not heed it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from amqp.exceptions import ChannelError, PreconditionFailed

from pacer_core.config.model import Queue

_ARGUMENTS = MappingProxyType({"x-cancel-on-ha-failover": True})
_NONE: Mapping[str, Any] = MappingProxyType({})
_NEVER_REACHED = 0xFFFF  # messages in hand on one channel; the largest prefetch there is
_UNLIKE = {"x-stream-offset": "next"}  # for streams alone: all other types refuse it, and say which they are
_CLASSIC = "rabbit_classic_queue"


class CancelNotices:
    """Has the consumers of one channel hear of the end of each queue, where they would not anyhow."""

    def __init__(self, connection: Any, queues: Sequence[Queue]) -> None:
        asked = _subscribes_anew(connection)
        self._classic = {queue.name for queue in queues if asked and _is_classic(connection, queue)}
        self._others = asked and len(self._classic) < len(queues)

    def arguments(self, queue: str) -> Mapping[str, Any]:
        """Give what a consumer of a queue says when it subscribes."""
        return _ARGUMENTS if queue in self._classic else _NONE

    def secure(self, channel: Any) -> None:
        """See to the consumers that are there; no other can be added until a prefetch of consumers is set."""
        if self._others:
            channel.basic_qos(0, _NEVER_REACHED, True)


def _subscribes_anew(connection: Any) -> bool:
    properties = getattr(connection.connection, "server_properties", None) or {}
    return properties.get("product") == "RabbitMQ" and f"{properties.get('version')}".startswith("3.")


def _is_classic(connection: Any, queue: Queue) -> bool:
    """Ask for a queue's type, by a consumer that none but a stream takes, and that not without a prefetch.

    Who may read it may ask. One that was declared without a type has the default one of its virtual host.
    """
    if queue.type == "quorum" and queue.declare == "active":
        return False
    channel = connection.channel()
    try:
        channel.basic_consume(queue=queue.name, arguments=_UNLIKE)
    except PreconditionFailed as error:
        return _CLASSIC in f"{error}"
    except ChannelError:  # what hinders, who consumes it says better
        return False
    finally:
        channel.close()
    return False
