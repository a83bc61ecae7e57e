"""The half of a channel that declares, binds and deletes."""

from __future__ import annotations

import uuid
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from amqp.protocol import queue_declare_ok_t
from kombu.transport.base import StdChannel, to_rabbitmq_queue_arguments

from pacer_channel import refusals
from pacer_channel.store import Store
from pacer_channel.topology import Exchange, Queue

Arguments = Mapping[str, Any] | None


class DeclaringChannel(StdChannel):  # type: ignore[misc]  # kombu has no types
    """AMQP's exchange and queue methods, with py-amqp's signatures."""

    @abstractmethod
    def _operation(self) -> AbstractContextManager[Store]:
        """Give the store for a step in which a refusal ends the channel."""

    def exchange_declare(
        self,
        exchange: str,
        type: str,  # noqa: A002 - AMQP's name
        passive: bool = False,
        durable: bool = False,
        auto_delete: bool = True,
        nowait: bool = False,
        arguments: Arguments = None,
    ) -> None:
        """Declare an exchange."""
        with self._operation() as store:
            if passive:
                store.expect_exchange(exchange)
            else:
                store.declare_exchange(Exchange(exchange, type, durable, auto_delete, arguments or {}))

    def exchange_delete(self, exchange: str, if_unused: bool = False, nowait: bool = False) -> None:
        """Delete an exchange."""
        with self._operation() as store:
            store.delete_exchange(exchange, if_unused=if_unused)

    def queue_declare(
        self,
        queue: str = "",
        passive: bool = False,
        durable: bool = False,
        exclusive: bool = False,
        auto_delete: bool = True,
        nowait: bool = False,
        arguments: Arguments = None,
    ) -> queue_declare_ok_t:
        """Declare a queue, or look at it; give its name and the numbers of ready messages and consumers."""
        with self._operation() as store:
            if passive:
                there = store.look(queue)
            elif exclusive:
                raise refusals.not_implemented(store.broker, "exclusive queues", refusals.QUEUE_DECLARE)
            else:
                name = queue or f"amq.gen-{uuid.uuid4().hex}"
                there = store.declare_queue(Queue(name, durable, auto_delete, arguments or {}))
            return queue_declare_ok_t(there.name, there.ready, there.consumers)

    def prepare_queue_arguments(self, arguments: Mapping[str, Any], **kwargs: Any) -> Mapping[str, Any]:
        """Translate kombu's names (``message_ttl``) into RabbitMQ's."""
        prepared: Mapping[str, Any] = to_rabbitmq_queue_arguments(arguments, **kwargs)
        return prepared

    def queue_bind(
        self,
        queue: str,
        exchange: str = "",
        routing_key: str = "",
        nowait: bool = False,
        arguments: Arguments = None,
    ) -> None:
        """Bind a queue to an exchange."""
        with self._operation() as store:
            store.bind(queue, exchange, routing_key, arguments or {})

    def queue_unbind(
        self,
        queue: str,
        exchange: str,
        routing_key: str = "",
        nowait: bool = False,
        arguments: Arguments = None,
    ) -> None:
        """Remove a binding."""
        with self._operation() as store:
            store.unbind(queue, exchange, routing_key, arguments or {})

    def queue_purge(self, queue: str = "", nowait: bool = False) -> int:
        """Remove the ready messages of a queue; give their number."""
        with self._operation() as store:
            return store.purge_queue(queue)

    def queue_delete(
        self, queue: str = "", if_unused: bool = False, if_empty: bool = False, nowait: bool = False
    ) -> int:
        """Delete a queue; give the number of messages that were ready in it."""
        with self._operation() as store:
            return store.delete_queue(queue, if_unused=if_unused, if_empty=if_empty)
