"""What a transport implements: an engine as one connection uses it.

A store is what `Connection` opens, once for each. It is an *owner*: what it leases is its own until it is
settled, until `close`, or until the engine takes the owner for dead; then others get it, and whatever the
former owner still says of it is void (fencing). Several threads call a store at once.

Each method is one step that others see whole or not at all, as far as the engine can do that. An engine
without transactions gives up no message for it: it writes the new place first and leaves the old one last.

Refusals are py-amqp's exceptions (`pacer_channel.refusals`, `Rules`); an engine that is away, full or has
forgotten the owner is a `RecoverableConnectionError`.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Protocol

from amqp.exceptions import ChannelError
from attrs import field, frozen

from pacer_channel.messages import Leased, Outgoing
from pacer_channel.topology import Exchange, Queue
from pacer_channel.waker import Waker


@frozen
class Written:
    """What became of messages to publish.

    Attributes
    ----------
    queues
        For each message that was taken, in order, how many queues have it now; 0 is unroutable.
    refusal
        Why the next one was refused; it and those after it are not published.
    """

    queues: Sequence[int]
    refusal: ChannelError | None = None


@frozen
class Looked:
    """A queue as it is now: its name, its ready messages, its consumers."""

    name: str
    ready: int
    consumers: int


@frozen
class Wish:
    """How much a consumer may be sent: at most `room`, and with the others of its `pool` what that has."""

    consumer: Hashable
    room: int
    pool: int


@frozen
class Lease:
    """What a store leased.

    Attributes
    ----------
    messages
        Each with the consumer that it is for.
    ended
        Consumers whose queue is no longer there.
    """

    messages: Sequence[tuple[Hashable, Leased]] = ()
    ended: Sequence[Hashable] = field(default=())


class Store(Protocol):
    """An engine as one connection uses it."""

    @property
    def broker(self) -> str:
        """What errors call it: "the embedded broker"."""
        ...

    @property
    def waker(self) -> Waker:
        """Whom it calls when there may be something new to lease."""
        ...

    @property
    def properties(self) -> Mapping[str, str]:
        """What it is: ``product`` and ``version``."""
        ...

    def check(self) -> None:
        """Raise `RecoverableConnectionError` where the owner may no longer hand out what it has leased.

        Called before every message; it asks no server.
        """
        ...

    # Declaring

    def declare_exchange(self, exchange: Exchange) -> None:
        """Make an exchange, or see that the one that is there is the same."""
        ...

    def expect_exchange(self, name: str) -> None:
        """See that an exchange exists, or raise the 404."""
        ...

    def delete_exchange(self, name: str, *, if_unused: bool) -> None:
        """Remove an exchange with its bindings; one that is not there is no error."""
        ...

    def declare_queue(self, queue: Queue) -> Looked:
        """Make a queue, or see that the one that is there is the same."""
        ...

    def look(self, queue: str) -> Looked:
        """Look at a queue, or raise the 404."""
        ...

    def purge_queue(self, queue: str) -> int:
        """Remove the ready messages of a queue, and give their number; those in somebody's hand stay."""
        ...

    def delete_queue(self, queue: str, *, if_unused: bool, if_empty: bool) -> int:
        """Remove a queue, and give the number of ready messages in it; 0 where it is not there."""
        ...

    def bind(self, queue: str, exchange: str, routing_key: str, arguments: Mapping[str, Any]) -> None:
        """Bind a queue to an exchange, once."""
        ...

    def unbind(self, queue: str, exchange: str, routing_key: str, arguments: Mapping[str, Any]) -> None:
        """Remove a binding; one that is not there is no error."""
        ...

    # Publishing

    def publish(self, messages: Sequence[Outgoing]) -> Written:
        """Put messages into the queues that take them; what `Written` counts is confirmed."""
        ...

    # Consuming

    def subscribe(self, queue: str, *, exclusive: bool) -> Hashable:
        """Add a consumer to a queue; give what names it."""
        ...

    def lease(self, wishes: Sequence[Wish], pools: Sequence[int]) -> Lease:
        """Lease what consumers may have and is there; `pools` says what those of one pool may have together.

        It does not wait: it calls its `waker` when asking again may give more. Where a consumer got something
        and may have more, it is asked again at once. It also notices what has ended.
        """
        ...

    def get(self, queue: str) -> tuple[Leased, int] | None:
        """Lease the next message of a queue without a consumer; give it and how many are left."""
        ...

    def acknowledge(self, entries: Sequence[Hashable]) -> None:
        """End messages that this owner holds; what was taken from it meanwhile stays."""
        ...

    def reject(self, entries: Sequence[Hashable]) -> None:
        """Dead-letter or drop messages that this owner holds."""
        ...

    def give_back(
        self, seen: Sequence[Hashable], unseen: Sequence[Hashable], consumers: Sequence[Hashable] = ()
    ) -> None:
        """Put messages back where they were, those seen marked as redelivered, and end consumers."""
        ...

    def held(self, queue: str) -> int | None:
        """Count the messages of a queue that somebody holds, or raise the 404; None: nobody can tell."""
        ...

    def close(self) -> None:
        """Give back all that is held and end; a store that cannot reach its engine leaves that to others."""
        ...
