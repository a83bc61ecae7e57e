"""What a channel consumes."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from amqp import Message
from attrs import define

if TYPE_CHECKING:
    from pacer_channel.channel import Channel


@define
class Subscription:
    """One consumer of a channel; `outstanding` counts what it was sent and has not settled."""

    channel: Channel
    tag: str
    consumer: Hashable
    no_ack: bool
    prefetch: int
    callback: Callable[[Message], object]
    on_cancel: Callable[[str], object] | None
    outstanding: int = 0

    def room(self, most: int) -> int:
        """Tell how many more messages it may be sent now, as far as it is concerned."""
        return min(self.prefetch - self.outstanding if self.prefetch else most, most)

    def wants(self) -> bool:
        """Tell whether it may be sent more now."""
        return self.room(1) > 0 and self.channel.room(1) > 0
