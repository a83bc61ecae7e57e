"""What PACER declares at a broker: exchanges, queues, their dead queues, and the ladder of retry queues."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any

from amqp import Connection
from amqp.exceptions import AccessRefused, NotFound, PreconditionFailed

from pacer_core.config.model import Config, ConsumerPlan, Exchange, Queue
from pacer_core.model.errors import BrokerError, PermissionRefusedError
from pacer_core.model.queue_names import dead_queue, hosts_queue, keys_queue, retry_exchange
from pacer_core.transport.partition_marks import differs, mark
from pacer_core.transport.retry_policy import LADDER

__all__ = ["dead_queue", "declare", "retry_exchange"]

log = logging.getLogger("pacer.transport")

_MANY = 8  # queues, from which on they are declared together
_CHANNELS = 16

# RabbitMQ counts every return of a message, an orderly stop's as well, and 4.x drops after 20 of them.
_NO_DELIVERY_LIMIT = 1_000_000
SAID_FOR = 60_000
"""Milliseconds for which it is known who has a partition."""
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
    everything = (*config.queues, *config.partition_queues)
    queues = everything if plans is None else tuple(_needed(config, plans))
    spaces = _spaces(config, (*config.consumers, *config.disabled) if plans is None else plans)
    used = {queue.exchange for queue in queues if queue.declare == "active"}
    exchanges = [one for one in config.exchanges if plans is None or one.name in used]
    if len(queues) >= _MANY and isinstance(connection.connection, Connection):
        # On a connection of its own: what is refused there disturbs nothing here.
        with closing(connection.clone()) as another:
            try:
                _declare(_Window(another), config, exchanges, queues, spaces)
                return
            except Exception as error:  # one by one, it says what was refused and why
                log.debug("declaring together failed: %s", error)
    _declare(Declarer(connection), config, exchanges, queues, spaces)


def _declare(
    broker: Declarer,
    config: Config,
    exchanges: Sequence[Exchange],
    queues: Sequence[Queue],
    spaces: Iterable[str],
) -> None:
    for name in spaces:
        broker.key_space(config, name)
    readers = _readers(config)
    for exchange in exchanges:
        broker.exchange(exchange)
    broker.settled()
    for queue in queues:
        broker.queue(queue, readers.get(queue.name))
    for step in LADDER:
        broker.step(step)
    broker.settled()


def _spaces(config: Config, plans: Sequence[ConsumerPlan]) -> tuple[str, ...]:
    """Give the key spaces of some consumers, where the broker can partition them."""
    if config.broker.capabilities.lacking("partitions"):
        return ()
    return tuple(dict.fromkeys(plan.key_space for plan in plans if plan.key_space is not None))


def _readers(config: Config) -> dict[str, ConsumerPlan]:
    plans = (*config.consumers, *config.disabled)
    readers = {queue: plan for plan in reversed(plans) for queue in plan.config.queues}
    return readers | {one.name: config.readers(one.name)[0] for one in config.partition_queues}


def _needed(config: Config, plans: Sequence[ConsumerPlan]) -> Iterator[Queue]:
    read = {name for plan in plans for name in plan.config.queues}
    read |= {name for space in config.partitions(plans) for name in space.queues}
    follow_ups = {plan.config.queues[0] for plan in config.consumers}
    for queue in (*config.queues, *config.partition_queues):
        if queue.name in read or (queue.name in follow_ups and queue.declare == "active"):
            yield queue


def reader(config: Config, queue: str) -> ConsumerPlan | None:
    """Give the consumer that reads a queue, or would where it were not switched off."""
    return _readers(config).get(queue)


class Declarer:
    """Declares one thing at a time, each on a channel of its own: a refusal closes the channel."""

    nowait = False
    """Whether the broker says nothing to what it takes."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def settled(self) -> None:
        """Wait until everything so far is there."""

    def exchange(self, exchange: Exchange) -> None:
        self._try(
            lambda channel: channel.exchange_declare(
                exchange=exchange.name,
                type=exchange.type,
                durable=True,
                auto_delete=False,
                passive=exchange.declare == "passive",
                nowait=self.nowait,
            ),
            f"exchange {exchange.name!r}",
            f"{_AS_IT_IS} {{name: {exchange.name}, declare: passive}} in the configuration",
        )

    def queue(self, queue: Queue, reader: ConsumerPlan | None) -> None:
        self._queue(dead_queue(queue.name), _quorum(), ours=True)
        if queue.declare == "passive":
            self._try(
                lambda channel: channel.queue_declare(queue=queue.name, passive=True, nowait=self.nowait),
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
                    queue=queue.name,
                    exchange=queue.exchange,
                    routing_key=key,
                    arguments=queue.headers,
                    nowait=self.nowait,
                ),
                f"binding of queue {queue.name!r}",
                "",
            )

    def key_space(self, config: Config, name: str) -> None:
        """Declare how many partitions a key space has, or that it has none: before any message is in one."""
        space = config.key_spaces.get(name)
        if space is None:
            if self._exists(keys_queue(name)):
                raise differs(self.connection, config, name, keys_queue(name))
            return
        try:
            self._queue(space.prefix, mark(space), ours=True)
        except PermissionRefusedError:
            raise
        except BrokerError:
            raise differs(self.connection, config, name, space.prefix) from None
        said_for = {"x-queue-type": "quorum", "x-message-ttl": SAID_FOR}
        self._queue(hosts_queue(space.prefix), said_for, ours=True)

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
                exchange=name, type="fanout", durable=True, auto_delete=False, nowait=self.nowait
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
            lambda channel: channel.queue_bind(queue=name, exchange=name, nowait=self.nowait),
            f"binding of queue {name!r}",
            "",
        )

    def _queue(self, name: str, arguments: dict[str, Any], *, ours: bool = False) -> None:
        self._try(
            lambda channel: channel.queue_declare(
                queue=name, durable=True, auto_delete=False, arguments=arguments, nowait=self.nowait
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


class _Window(Declarer):
    """Declares many things at a time on several channels, and waits for all of them at the end.

    One by one a thousand queues take more than a minute, most of it waiting for the broker's disk, which
    takes sixteen as fast as one. What is refused closes a channel, and which it was is not known.
    """

    nowait = True

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        connection.ensure_connection(max_retries=0)
        self._channels = [connection.channel() for _ in range(_CHANNELS)]
        self._turn = 0

    def queue(self, queue: Queue, reader: ConsumerPlan | None) -> None:
        super().queue(queue, reader)
        self._next()

    def step(self, step: int) -> None:
        super().step(step)
        self._next()

    def settled(self) -> None:
        for channel in self._channels:
            channel.basic_qos(0, 1, False)  # is answered after all that came before it

    def _next(self) -> None:
        self._turn = (self._turn + 1) % _CHANNELS

    def _try(self, call: Callable[[Any], Any], what: str, advice: str) -> None:
        call(self._channels[self._turn])


def _quorum() -> dict[str, Any]:
    return {"x-queue-type": "quorum", "x-delivery-limit": _NO_DELIVERY_LIMIT}
