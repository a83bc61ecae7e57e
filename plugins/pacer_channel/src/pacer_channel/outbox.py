"""What a channel publishes: at once, or gathered in a window and confirmed later."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable

from amqp import Message
from attrs import define, field

from pacer_channel.codec import decode_properties, encode_properties
from pacer_channel.messages import Outgoing
from pacer_channel.refusals import no_route
from pacer_channel.store import Store

WINDOW = 100  # publishes gathered at most
_BYTES = 1 << 24  # of their bodies: Redis hangs up on who has a gigabyte on its way

Events = defaultdict[str, set[Callable[..., object]]]


def outgoing(message: Message, exchange: str, routing_key: str) -> Outgoing:
    """Encode a message as it will be stored; text becomes bytes as py-amqp does it.

    Raises
    ------
    amqp.exceptions.FrameSyntaxError, struct.error
        For headers or properties that AMQP cannot carry.
    """
    body = message.body
    if isinstance(body, str):
        body = body.encode(message.properties.setdefault("content_encoding", "utf-8"))
    properties = {name: value for name, value in message.properties.items() if value is not None}
    return Outgoing(exchange, routing_key, properties, encode_properties(properties), bytes(body))


@define
class Outbox:
    """The publishes of one channel and what became of them.

    Without a window every publish is a step of its own. With one, up to `WINDOW` publishes are one step, and
    `dispatch` calls ``events["basic_return"]`` and ``events["basic_ack"]``.
    """

    store: Store
    events: Events
    windowed: bool = False
    _window: list[tuple[Outgoing, bool]] = field(factory=list)
    _gathered: int = 0  # bytes
    _written: int = 0
    _news: deque[Outgoing | int] = field(factory=deque)  # what came back, and up to which tag all is written

    def add(self, message: Outgoing, *, mandatory: bool) -> None:
        """Publish a message now, or with others.

        Raises
        ------
        amqp.exceptions.NotFound
            404, where the exchange does not exist.
        amqp.exceptions.ChannelError
            312, where it is mandatory, unroutable, and nobody listens to ``basic_return``; without a window.
        """
        self._window.append((message, mandatory))
        self._gathered += len(message.body)
        if not self.windowed:
            self.dispatch()
        elif len(self._window) >= WINDOW or self._gathered >= _BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered; where one is refused, those before it stand, those after it are gone."""
        window, self._window, self._gathered = self._window, [], 0
        if not window:
            return
        written = self.store.publish([message for message, _ in window])
        self._written += len(written.queues)
        for (message, mandatory), queues in zip(window, written.queues, strict=False):
            if mandatory and not queues:
                self._news.append(message)
        if self.windowed:
            self._news.append(self._written)
        if written.refusal is not None:
            raise written.refusal

    def dispatch(self) -> bool:
        """Write what was gathered and tell the publisher; tell whether there was something to say."""
        self.flush()
        said = bool(self._news)
        while self._news:
            news = self._news.popleft()
            if isinstance(news, int):
                for handler in list(self.events["basic_ack"]):
                    handler(news, True)
            else:
                self._return(news)
        return said

    def _return(self, message: Outgoing) -> None:
        handlers = list(self.events["basic_return"])
        if not handlers:
            raise no_route()
        for handler in handlers:
            returned = Message(message.body, **decode_properties(message.encoded))
            handler(no_route(), message.exchange, message.routing_key, returned)
