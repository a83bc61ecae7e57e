"""Forwarding: a confirmed publish at another broker, as a task like any other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from amqp.exceptions import AMQPError, ChannelError, NotFound
from attrs import define, field

from pacer_core.config.model import Exchange, Recipient
from pacer_core.model.consumers import Task
from pacer_core.model.errors import AwayError, BrokerError, NotTakenError, Retry, Signal
from pacer_core.model.messages import Context, Envelope
from pacer_core.model.routes import Route
from pacer_core.pipeline.spans import trace_headers
from pacer_core.transport.connection import connect, hang_up
from pacer_core.transport.copies import copy_properties
from pacer_core.transport.header_size import together
from pacer_core.transport.header_types import CopyHeaders
from pacer_core.transport.headers import PREFIX, plain_headers
from pacer_core.transport.outgoing import FullError, Outgoing, UnroutableError
from pacer_core.transport.publish import Publisher

RouteMessage = Callable[..., Sequence[Route] | None]
PAUSE = 5.0
"""Seconds between two tries to reach a recipient that is away."""
_GLANCE = 0.1  # seconds to wait for another message's try
Ahead = Mapping[str, Signal | None]
"""By recipient that a message goes to, how publishing it there went: ``None`` where it is confirmed."""


def task_name(recipient: str) -> str:
    """Give the name under which a forwarding stands among the tasks done and pending."""
    return f"forward:{recipient}"


@define(eq=False)
class _Away:
    """Whether a recipient is away, and from when on it may be tried again."""

    error: BrokerError | None = None
    until: float = 0.0
    turn: threading.Lock = field(factory=threading.Lock)

    @property
    def put_off(self) -> bool:
        return self.error is not None and time.monotonic() < self.until


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
        self._tasks = {name: Task(task_name(name), self._run(name)) for name in self._recipients}
        self._confirmed = {name: Task(task_name(name), _nothing) for name in self._recipients}
        self._away = {name: _Away() for name in self._recipients}
        self._declared: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self.here = ""
        """What this broker is called in a message's path; known once it is connected."""

    def tasks(self, envelope: Envelope, message: Any, ahead: Ahead | None = None) -> tuple[Task, ...]:
        """Give a task for each route that a message takes; what was published ahead is not sent again.

        Where the hook fails there is one task, which fails with its exception: the message is tried again,
        and what else is to be done with it does not wait for that.
        """
        if ahead is not None:
            return tuple([self._told(recipient, error) for recipient, error in ahead.items()])
        try:
            return tuple([self._tasks[recipient] for recipient in self._taken(envelope, message)])
        except BaseException as error:
            return (Task("route", _fails(error)),)

    def ahead(self, messages: Sequence[tuple[Envelope, Any]]) -> list[Ahead | None]:
        """Publish messages together, and say of each how that went; ``None`` where its hook fails.

        A broker confirms a hundred messages as fast as one, so this is several times faster than one by one.
        """
        results: list[dict[str, Signal | None] | None] = []
        waiting: dict[str, list[tuple[Envelope, dict[str, Signal | None]]]] = {}
        for envelope, message in messages:
            try:
                tasks = {recipient: self._tasks[recipient] for recipient in self._taken(envelope, message)}
            except BaseException:  # `tasks` asks again, and has this message fail alone
                results.append(None)
                continue
            result: dict[str, Signal | None] = dict.fromkeys(tasks)
            results.append(result)
            for recipient, task in tasks.items():
                if task.name not in envelope.done:
                    waiting.setdefault(recipient, []).append((envelope, result))
        for recipient, those in waiting.items():
            said = self._hand_on(recipient, [envelope for envelope, _ in those])
            for (_, result), error in zip(those, said, strict=True):
                result[recipient] = error
        return list(results)

    def comes_back(self, envelope: Envelope) -> bool:
        """Say whether a message has been here before it was forwarded: a loop."""
        return bool(self.here) and self.here in envelope.path

    def beat(self) -> None:
        """Keep the connections to the recipients alive."""
        for publisher in self._publishers.values():
            publisher.beat()

    def close(self) -> None:
        """Close the connections to the recipients."""
        for publisher in self._publishers.values():
            publisher.close()

    def _told(self, recipient: str, error: Signal | None) -> Task:
        """Give the task of a message that was published ahead."""
        return self._confirmed[recipient] if error is None else Task(task_name(recipient), _fails(error))

    def _taken(self, envelope: Envelope, message: Any) -> list[str]:
        if not self._routes:
            return []
        taken = self._route_message(message=message, envelope=envelope, routes=self._routes) or ()
        return list(dict.fromkeys([route.recipient for route in taken]))

    def _run(self, recipient: str) -> Callable[[Any, Context], None]:
        def run(_: Any, context: Context) -> None:
            (error,) = self._hand_on(recipient, [context.envelope])
            if error is not None:
                raise error

        return run

    def _hand_on(self, recipient: str, envelopes: Sequence[Envelope]) -> list[Signal | None]:
        """Publish at one recipient, and say of each message why it is not confirmed.

        One that is away is tried by one message every `PAUSE` seconds: connecting may take its time, and the
        tasks of all others have nothing to do with it. One that does not take a message is not away.
        """
        away = self._away[recipient]
        if not away.put_off and away.turn.acquire(timeout=-1 if away.error is None else _GLANCE):
            try:
                if not away.put_off:  # whoever had the turn before may have met nobody
                    said = self._try(recipient, envelopes)
                    lost = [one for one in said if one is not None and not isinstance(one, NotTakenError)]
                    away.error, away.until = next(iter(lost), None), time.monotonic() + PAUSE
                    return [None if error is None else _signal(recipient, error) for error in said]
            finally:
                away.turn.release()
        return [_signal(recipient, away.error or BrokerError("it is being tried")) for _ in envelopes]

    def _try(self, recipient: str, envelopes: Sequence[Envelope]) -> Sequence[BrokerError | None]:
        refused: dict[str, BrokerError] = {}
        try:
            for exchange in dict.fromkeys([envelope.exchange for envelope in envelopes]):
                try:
                    self._declare(recipient, exchange)
                except ChannelError as error:
                    refused[exchange] = UnroutableError(f"exchange {exchange!r} cannot be used: {error}")
            there = [one for one in envelopes if one.exchange not in refused]
            published = self._publishers[recipient].publish_each([self._outgoing(one) for one in there])
        except BrokerError as error:
            return [error] * len(envelopes)
        except (AMQPError, OSError) as error:
            lost = BrokerError(f"lost {self._recipients[recipient]}: {error}")
            return [lost] * len(envelopes)
        confirmed = iter(published)
        said = [refused[one.exchange] if one.exchange in refused else next(confirmed) for one in envelopes]
        failed = [one.exchange for one, error in zip(envelopes, said, strict=True) if error is not None]
        self._declared.difference_update((recipient, exchange) for exchange in failed)
        return said

    def _outgoing(self, envelope: Envelope) -> Outgoing:
        own: CopyHeaders = {"correlation-id": envelope.correlation_id, "path": [*envelope.path, self.here]}
        given = plain_headers(envelope.headers)
        given.update(trace_headers(envelope))
        # The publisher's may leave no room in their frame, which a broker closes the connection for.
        headers = (
            together(given, own, PREFIX) if given else {PREFIX + name: value for name, value in own.items()}
        )
        return Outgoing(
            envelope.exchange, envelope.routing_key, envelope.body, headers, copy_properties(envelope)
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


def _signal(recipient: str, error: BrokerError) -> Signal:
    # A full queue has nothing against the message, which waits uncounted, as for one that is away.
    counted = isinstance(error, NotTakenError) and not isinstance(error, FullError)
    kind = Retry if counted else AwayError
    return kind(f"recipient {recipient!r}: {error}")


def _nothing(_: Any, __: Context) -> None:
    """Be done: the broker has confirmed what there was to do."""


def _fails(error: BaseException) -> Callable[[Any, Context], None]:
    def fail(_: Any, __: Context) -> None:
        raise error

    return fail
