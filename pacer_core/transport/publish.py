"""Publishing with confirms, on a connection of its own.

Never on the consuming connection: a publish there first reads what has come in, which re-enters the
consumer's callback; with confirms the two wait for each other's answers.

A broker that refuses a message closes the channel: which message it was is not said, and of those before it
the confirms are lost. So what is the first of its kind on a connection (for an exchange, or larger than all
before) goes alone, and after a refusal all that had gone together does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import amqp
from attrs import define, field

from pacer_core.config.model import Broker
from pacer_core.model.errors import BrokerError, RefusedError
from pacer_core.transport.connection import LOST
from pacer_core.transport.outgoing import (
    ForbiddenError,
    Outgoing,
    UnroutableError,
)
from pacer_core.transport.publishing_link import Link
from pacer_core.transport.queue_status import depth

_DOUBTFUL = frozenset({501, 502, 503, 505, 506, 540, 541})
# With these RabbitMQ closes a whole connection for what one message is, or because it fell over it.
_FORBIDDEN, _NOT_FOUND = 403, 404


class Publisher:
    """Publishes and waits for the broker's word; safe to use from several threads, one at a time.

    ``confirmed`` is told how many seconds the broker took to confirm what was published together. A
    publisher that does not ``reopen`` is opened once, and is done when its connection is lost.
    """

    def __init__(
        self, broker: Broker, confirmed: Callable[[float], None] = lambda _: None, *, reopen: bool = True
    ) -> None:
        self._broker, self._confirmed = broker, confirmed
        self._lock = threading.Lock()
        self._link: Link | None = None
        self._may_open, self._reopen = True, reopen
        self._reader: Any = None
        self._closed = False

    def open(self, reader: Any) -> None:
        """Open the connection now, to publish what ``reader``, another one, brings, and as long as it does.

        Raises
        ------
        BrokerError
            Where the broker cannot be reached.
        amqp.exceptions.AMQPError, OSError
            Where it goes away in between.
        """
        with self._lock:
            self._reader = reader
            self._opened()

    def publish(self, messages: Sequence[Outgoing]) -> None:
        """Publish all messages, and return when the broker has confirmed every one.

        Raises
        ------
        NotTakenError
            Where the broker does not take one of them: the others have been published.
        BrokerError
            Where the broker does not confirm in time, or cannot be reached.
        """
        for error in self.publish_each(messages):
            if error is not None:
                raise error

    def publish_each(
        self, messages: Sequence[Outgoing], holds: Callable[[], bool] | None = None
    ) -> list[BrokerError | None]:
        """Publish messages, and say of each why it is not confirmed; ``None`` where it is.

        One that is not taken (a `NotTakenError`) keeps no other from being published. A connection that was
        lost is opened anew once; what it had confirmed is not sent again.

        ``holds`` says whether what they are made of is still ours. With it nothing is sent twice: who has
        lost one connection may have lost the other: a copy of ours would come behind those of who is next.
        """
        waiting = dict(enumerate(messages))
        refused: dict[int, BrokerError] = {}
        with self._lock:
            began = time.monotonic()
            lost = self._publish(waiting, refused, holds)
            if lost is None:
                self._confirmed(time.monotonic() - began)
        return [refused.get(number, lost if number in waiting else None) for number in range(len(messages))]

    def _publish(
        self,
        waiting: dict[int, Outgoing],
        refused: dict[int, BrokerError],
        holds: Callable[[], bool] | None,
    ) -> BrokerError | None:
        """Publish what waits, and say what keeps the rest of it from being confirmed."""
        if self._closed:
            return BrokerError("the publisher is closed: the message goes back to its queue")
        apart = _Apart(refused)
        lost: BrokerError | None = None
        while waiting:
            group: Sequence[int] = ()
            try:
                link = self._opened()
                if holds is not None and not holds():
                    return BrokerError(
                        "what was to be published is no longer in hand: the broker has it back"
                    )
                group = link.together(waiting, apart.numbers)
                link.publish(group, waiting, refused)
            except BrokerError as error:
                self._drop()
                return error
            except LOST as error:
                # AttributeError: py-amqp raises it where its connection went away underneath it.
                spoken = apart.looks([number for number in group if number in waiting], waiting, error)
                self._drop(spoken=spoken)
                if not spoken:
                    again = lost is None and holds is None
                    lost = BrokerError(f"lost {self._broker} while publishing: {error}")
                    if not again:
                        return lost
            except BaseException:
                self._drop()  # or what was numbered already would take the confirms of what comes next
                raise
            else:
                lost = None
                if link.nacked:
                    # A channel that RabbitMQ has refused a message of a quorum queue on goes on refusing,
                    # also when the queue's limit is gone; a new one does not.
                    self._drop(spoken=True)
        return None

    def ready(self, queue: str) -> int | None:
        """Give how many messages wait in a queue; ``None`` where the broker is away, or has no such queue."""
        with self._lock:
            if self._closed:
                return None
            try:
                return depth(self._opened().connection, queue)
            except (BrokerError, *LOST):
                self._drop()
                return None

    def beat(self) -> None:
        """Keep an idle connection alive."""
        with self._lock:
            if self._link is not None:
                try:
                    self._link.beat()
                except LOST:
                    self._drop()

    def close(self) -> None:
        """Close the connection; what still wants to publish is refused."""
        with self._lock:
            self._closed = True
            self._drop()

    def cut(self) -> None:
        """End it at once: what waits for the broker's word waits no longer."""
        self._closed, link = True, self._link
        if link is not None:
            link.cut()
        self.close()

    def _opened(self) -> Link:
        if self._link is None:
            if not self._may_open:
                raise BrokerError(
                    "the connection that publishes was lost: what is in hand may be another's by now"
                )
            self._link = Link(self._broker)
            if self._reader is not None:
                self._link.only_while(self._reader)
            self._may_open = self._reopen
        return self._link

    def _drop(self, *, spoken: bool = False) -> None:
        """Do without the connection; after the broker's word about a message there may be another one."""
        link, self._link = self._link, None
        self._may_open = self._may_open or spoken
        if link is not None:
            link.close()


@define
class _Apart:
    """Finds out which of some messages it was that the broker refused."""

    refused: dict[int, BrokerError]
    numbers: set[int] = field(factory=set)
    """Those that go alone from now on."""
    _doubtful: set[int] = field(factory=set)

    def looks(self, group: Sequence[int], waiting: dict[int, Outgoing], error: Any) -> bool:
        """Tell whether an error is the broker's word about one of these, none of which is confirmed.

        Where there is but one it waits no more, and is refused.
        """
        by_channel = isinstance(error, amqp.exceptions.ChannelError)
        if not group or not (by_channel or getattr(error, "reply_code", None) in _DOUBTFUL):
            return False
        if len(group) > 1:
            self.numbers.update(group)
            return True
        (number,) = group
        if by_channel or number in self._doubtful:
            self.refused[number] = _refusal(waiting.pop(number), error)
        self._doubtful.add(number)  # a broker may fall over for another reason: once more
        return True


def _refusal(message: Outgoing, error: Any) -> BrokerError:
    kinds = {
        _FORBIDDEN: ForbiddenError,
        _NOT_FOUND: UnroutableError,
    }  # said of the exchange, not of the message
    if error.reply_code in kinds:
        return kinds[error.reply_code](f"the broker refused a message to {message}: {error}")
    return RefusedError(f"the broker refused a message of {len(message.body):,} bytes to {message}: {error}")
