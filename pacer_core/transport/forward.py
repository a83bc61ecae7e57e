"""Forwarding: a confirmed publish at another broker, as a task like any other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from amqp.exceptions import NotFound

from pacer_core.config.model import Exchange, Recipient
from pacer_core.consumers import Task
from pacer_core.errors import AwayError, BrokerError, Retry
from pacer_core.messages import Context, Envelope
from pacer_core.routing import Route
from pacer_core.traces import trace_headers
from pacer_core.transport.connection import connect, hang_up
from pacer_core.transport.headers import PREFIX, copy_properties, plain_headers
from pacer_core.transport.publish import Outgoing, Publisher, UnroutableError

RouteMessage = Callable[..., Sequence[Route] | None]


def task_name(recipient: str) -> str:
    """Give the name under which a forwarding stands among the tasks done and pending."""
    return f"forward:{recipient}"


class Forwarder:
    """Hands messages on to other brokers, by the routes that the hook picks."""

    def __init__(
        self,
        routes: Sequence[Route],
        recipients: Iterable[Recipient],
        exchanges: Iterable[Exchange],
        route_message: RouteMessage,
    ) -> None:
        self._routes, self._route_message = tuple(routes), route_message
        self._types = {exchange.name: exchange.type for exchange in exchanges}
        self._recipients = {recipient.name: recipient for recipient in recipients}
        self._publishers = {recipient.name: Publisher(recipient) for recipient in recipients}
        self._declared: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self.here = ""
        """What this broker is called in a message's path; known once it is connected."""

    def tasks(self, envelope: Envelope, message: Any) -> tuple[Task, ...]:
        """Give a task for each route that a message takes.

        Where the hook fails there is one task, which fails with its exception: the message is tried again,
        and what else is to be done with it does not wait for that.
        """
        if not self._routes:
            return ()
        try:
            taken = self._route_message(message=message, envelope=envelope, routes=self._routes) or ()
        except Exception as error:
            return (Task("route", _fails(error)),)
        return tuple(Task(task_name(route.recipient), self._run(route.recipient)) for route in taken)

    def comes_back(self, envelope: Envelope) -> bool:
        """Say whether a message has been here before it was forwarded: a loop."""
        return bool(self.here) and self.here in envelope.path

    def publish(self, recipient: str, envelopes: Sequence[Envelope]) -> None:
        """Hand messages on to one recipient, and return when it has confirmed them all.

        Raises
        ------
        AwayError
            Where the recipient is away.
        Retry
            Where it has no queue for a message.
        """
        try:
            for exchange in {envelope.exchange for envelope in envelopes}:
                self._declare(recipient, exchange)
            self._publishers[recipient].publish([self._outgoing(envelope) for envelope in envelopes])
        except UnroutableError as error:
            raise Retry(f"recipient {recipient!r}: {error}") from error
        except BrokerError as error:
            raise AwayError(f"recipient {recipient!r}: {error}") from error

    def beat(self) -> None:
        """Keep the connections to the recipients alive."""
        for publisher in self._publishers.values():
            publisher.beat()

    def close(self) -> None:
        """Close the connections to the recipients."""
        for publisher in self._publishers.values():
            publisher.close()

    def _run(self, recipient: str) -> Callable[[Any, Context], None]:
        return lambda _, context: self.publish(recipient, [context.envelope])

    def _outgoing(self, envelope: Envelope) -> Outgoing:
        own: Mapping[str, Any] = {
            f"{PREFIX}correlation-id": envelope.correlation_id,
            f"{PREFIX}path": [*envelope.path, self.here],
        }
        return Outgoing(
            exchange=envelope.exchange,
            routing_key=envelope.routing_key,
            body=envelope.body,
            headers={**plain_headers(envelope.headers), **trace_headers(envelope), **own},
            properties=copy_properties(envelope),
        )

    def _declare(self, recipient: str, exchange: str) -> None:
        """Make sure that the recipient has the exchange; one that is there is used as it is."""
        if not exchange or (recipient, exchange) in self._declared:
            return
        with self._lock:
            connection = connect(self._recipients[recipient], "forward")
            try:
                channel = connection.channel()
                try:
                    channel.exchange_declare(exchange=exchange, type="direct", passive=True)
                except NotFound:
                    connection.channel().exchange_declare(
                        exchange=exchange,
                        type=self._types.get(exchange, "direct"),
                        durable=True,
                        auto_delete=False,
                    )
            finally:
                hang_up(connection)
            self._declared.add((recipient, exchange))


def _fails(error: Exception) -> Callable[[Any, Context], None]:
    def fail(_: Any, __: Context) -> None:
        raise error

    return fail
