"""What PACER declares at a broker: exchanges, queues, their dead queues, and the ladder of retry queues."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from amqp.exceptions import AccessRefused, NotFound, PreconditionFailed

from pacer_core.config.model import Config, ConsumerPlan, Exchange, Queue
from pacer_core.errors import BrokerError, PermissionRefusedError
from pacer_core.names import dead_queue, retry_exchange
from pacer_core.policy import LADDER

__all__ = ["dead_queue", "declare", "retry_exchange"]

# RabbitMQ counts every return of a message, an orderly stop's as well, and 4.x drops after 20 of them.
_NO_DELIVERY_LIMIT = 1_000_000
_AS_IT_IS = "to use it as it is, write"
_OURS = (
    "this queue is PACER's own and has no line in the configuration: move its messages elsewhere and "
    "delete it, PACER then makes it anew; limits of your own belong into a policy of the broker"
)


def declare(connection: Any, config: Config, plans: Sequence[ConsumerPlan] | None = None) -> None:
    """Declare everything that a configuration needs; what is there already has to be the same.

    With ``plans``, only what these consumers read and publish to: their queues, and the queues of follow-ups
    that are ours. What somebody else owns, and has removed, then stops those alone who read it.

    Raises
    ------
    BrokerError
        Where something exists with other arguments, or a passive one does not exist: with the line to change.
    """
    queues = config.queues if plans is None else tuple(_needed(config, plans))
    exchanges = {queue.exchange for queue in queues if queue.declare == "active"}
    broker = Declarer(connection)
    for exchange in config.exchanges:
        if plans is None or exchange.name in exchanges:
            broker.exchange(exchange)
    for queue in queues:
        broker.queue(queue, reader(config, queue.name))
    for step in LADDER:
        broker.step(step)


def _needed(config: Config, plans: Sequence[ConsumerPlan]) -> Iterator[Queue]:
    read = {name for plan in plans for name in plan.config.queues}
    follow_ups = {plan.config.queues[0] for plan in config.consumers}
    for queue in config.queues:
        if queue.name in read or (queue.name in follow_ups and queue.declare == "active"):
            yield queue


def reader(config: Config, queue: str) -> ConsumerPlan | None:
    """Give the consumer that reads a queue, or would where it were not switched off."""
    plans = (*config.consumers, *config.disabled)
    return next((plan for plan in plans if queue in plan.config.queues), None)


class Declarer:
    """Declares one thing at a time, each on a channel of its own: a refusal closes the channel."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def exchange(self, exchange: Exchange) -> None:
        self._try(
            lambda channel: channel.exchange_declare(
                exchange=exchange.name,
                type=exchange.type,
                durable=True,
                auto_delete=False,
                passive=exchange.declare == "passive",
            ),
            f"exchange {exchange.name!r}",
            f"{_AS_IT_IS} {{name: {exchange.name}, declare: passive}} in the configuration",
        )

    def queue(self, queue: Queue, reader: ConsumerPlan | None) -> None:
        self._queue(dead_queue(queue.name), _quorum(), ours=True)
        if queue.declare == "passive":
            self._try(
                lambda channel: channel.queue_declare(queue=queue.name, passive=True),
                f"queue {queue.name!r}",
                "",
            )
            return
        # What nobody reads may have been declared for somebody who did: it only has to be there.
        if reader is not None or not self._exists(queue.name):
            self.work_queue(queue, reader)
        if queue.exchange is not None:
            key = queue.routing_key if queue.routing_key is not None else queue.name
            self._try(
                lambda channel: channel.queue_bind(
                    queue=queue.name, exchange=queue.exchange, routing_key=key, arguments=queue.headers
                ),
                f"binding of queue {queue.name!r}",
                "",
            )

    def work_queue(self, queue: Queue, reader: ConsumerPlan | None) -> None:
        """Declare a queue of ours by itself; where it is there already, that changes nothing."""
        arguments: dict[str, Any] = _quorum() if queue.type == "quorum" else {}
        arguments |= {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead_queue(queue.name)}
        if reader is not None and reader.pipeline.type.key is not None:
            arguments["x-single-active-consumer"] = True
        if queue.priority_enabled:
            arguments["x-max-priority"] = queue.max_priority_level
        self._queue(queue.name, arguments)

    def step(self, step: int) -> None:
        name = retry_exchange(step)
        self._try(
            lambda channel: channel.exchange_declare(
                exchange=name, type="fanout", durable=True, auto_delete=False
            ),
            f"exchange {name!r}",
            "",
        )
        arguments = _quorum() | {
            "x-message-ttl": step * 1000,
            "x-dead-letter-exchange": "",
            # Without these two, messages are lost when their work queue is away at the moment they are due.
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }
        self._queue(name, arguments, ours=True)
        self._try(
            lambda channel: channel.queue_bind(queue=name, exchange=name), f"binding of queue {name!r}", ""
        )

    def _queue(self, name: str, arguments: dict[str, Any], *, ours: bool = False) -> None:
        self._try(
            lambda channel: channel.queue_declare(
                queue=name, durable=True, auto_delete=False, arguments=arguments
            ),
            f"queue {name!r}",
            _OURS if ours else f"{_AS_IT_IS} {{name: {name}, declare: passive}} in the configuration",
        )

    def _exists(self, name: str) -> bool:
        channel = self.connection.channel()
        try:
            channel.queue_declare(queue=name, passive=True)
        except NotFound:
            return False
        finally:
            channel.close()
        return True

    def _try(self, call: Callable[[Any], Any], what: str, advice: str) -> None:
        channel = self.connection.channel()
        try:
            call(channel)
        except PreconditionFailed as error:
            hint = f"; {advice}" if advice else ""
            raise BrokerError(f"{what} exists with other arguments: {error.message}{hint}") from None
        except AccessRefused as error:
            raise PermissionRefusedError(
                f"{what} cannot be declared: {error.message}; give the account that permission"
            ) from None
        except NotFound as error:
            raise BrokerError(f"{what} does not exist: {error.message}; create it, or declare it") from None
        finally:
            channel.close()


def _quorum() -> dict[str, Any]:
    return {"x-queue-type": "quorum", "x-delivery-limit": _NO_DELIVERY_LIMIT}
