"""What a channel consumes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from amqp import Message
from attrs import define

if TYPE_CHECKING:
    from pacer_embedded.channel import Channel


@define
class Subscription:
    """One consumer of a channel; `outstanding` counts what it was sent and has not settled."""

    channel: Channel
    tag: str
    number: int
    queue: int
    no_ack: bool
    prefetch: int
    callback: Callable[[Message], object]
    on_cancel: Callable[[str], object] | None
    outstanding: int = 0

    def room(self, most: int) -> int:
        """Tell how many more messages it may be sent now."""
        room = self.prefetch - self.outstanding if self.prefetch else most
        if self.channel.prefetch:
            sent = sum(one.outstanding for one in self.channel.consumers.values())
            room = min(room, self.channel.prefetch - sent)
        return min(room, most)
