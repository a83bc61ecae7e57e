"""The half of a channel that declares, binds and deletes."""

from __future__ import annotations

import uuid
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from amqp.protocol import queue_declare_ok_t
from kombu.transport.base import StdChannel, to_rabbitmq_queue_arguments

from pacer_embedded import deadletters, declarations, refusals
from pacer_embedded.queueing import ready
from pacer_embedded.store import Session

Arguments = Mapping[str, Any] | None


class DeclaringChannel(StdChannel):  # type: ignore[misc]  # kombu has no types
    """AMQP's exchange and queue methods, with py-amqp's signatures."""

    @abstractmethod
    def _operation(self) -> AbstractContextManager[Session]:
        """Give a transaction in which a refusal ends the channel."""

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
        with self._operation() as session:
            if passive:
                declarations.expect_exchange(session, exchange, refusals.EXCHANGE_DECLARE)
            else:
                declarations.declare_exchange(
                    session,
                    exchange,
                    type,
                    durable=durable,
                    auto_delete=auto_delete,
                    arguments=arguments or {},
                )

    def exchange_delete(self, exchange: str, if_unused: bool = False, nowait: bool = False) -> None:
        """Delete an exchange."""
        with self._operation() as session:
            declarations.delete_exchange(session, exchange, if_unused=if_unused)

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
        with self._operation() as session:
            deadletters.expire(session)
            if passive:
                there = declarations.expect_queue(session, queue, refusals.QUEUE_DECLARE)
            elif exclusive:
                raise refusals.not_implemented("exclusive queues", refusals.QUEUE_DECLARE)
            else:
                there = declarations.declare_queue(
                    session,
                    queue or f"amq.gen-{uuid.uuid4().hex}",
                    durable=durable,
                    auto_delete=auto_delete,
                    arguments=arguments or {},
                )
            return queue_declare_ok_t(there.name, ready(session, there), len(there.consumers))

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
        with self._operation() as session:
            declarations.bind(session, queue, exchange, routing_key, arguments or {})

    def queue_unbind(
        self,
        queue: str,
        exchange: str,
        routing_key: str = "",
        nowait: bool = False,
        arguments: Arguments = None,
    ) -> None:
        """Remove a binding."""
        with self._operation() as session:
            declarations.unbind(session, queue, exchange, routing_key, arguments or {})

    def queue_purge(self, queue: str = "", nowait: bool = False) -> int:
        """Remove the ready messages of a queue; give their number."""
        with self._operation() as session:
            return declarations.purge_queue(session, queue)

    def queue_delete(
        self, queue: str = "", if_unused: bool = False, if_empty: bool = False, nowait: bool = False
    ) -> int:
        """Delete a queue; give the number of messages that were ready in it."""
        with self._operation() as session:
            return declarations.delete_queue(session, queue, if_unused=if_unused, if_empty=if_empty)
