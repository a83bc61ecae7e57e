"""Routes: which messages also go to another broker."""

from __future__ import annotations

from functools import lru_cache

from attrs import frozen

from pacer_core.model.messages import Envelope


@frozen
class Route:
    """One way out: what comes by this exchange with such a routing key goes to that recipient."""

    recipient: str
    exchange: str
    routing_key: str = "#"
    """A topic pattern (AMQP 0-9-1, 3.1.3.3), where ``*`` stands for one word, ``#`` for any number."""

    def takes(self, envelope: Envelope) -> bool:
        """Say whether a message goes this way, by the exchange and routing key of its first sight."""
        return envelope.exchange == self.exchange and matches(self.routing_key, envelope.routing_key)


def matches(pattern: str, routing_key: str) -> bool:
    """Compare a routing key with a topic pattern, word by word."""
    return _matches(tuple(pattern.split(".")), tuple(routing_key.split(".")))


@lru_cache(maxsize=4096)
def _matches(pattern: tuple[str, ...], words: tuple[str, ...]) -> bool:
    if not pattern:
        return not words
    first, *rest = pattern
    if first == "#":
        return any(_matches(tuple(rest), words[start:]) for start in range(len(words) + 1))
    return bool(words) and first in ("*", words[0]) and _matches(tuple(rest), words[1:])
