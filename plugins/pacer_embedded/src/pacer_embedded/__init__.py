"""The embedded broker: queues in an SQLite file, or in memory, with what PACER needs of RabbitMQ.

``pacer+sqlite:///FILE`` serves several processes of one machine: acknowledged messages are gone, those of a
killed process come back within a fraction of a second, and nobody polls. ``pacer+memory://NAME`` is the same
code on SQLite's memory, so that what tests see there holds for the file, and nearly all of it for RabbitMQ
(`tests/contract` says what all three agree on).

`register` makes kombu know the URLs; `capabilities` tells what each can do.
"""

from __future__ import annotations

from kombu.transport import TRANSPORT_ALIASES

from pacer_embedded.store import forget as _forget
from pacer_embedded.urls import ALIAS, capabilities, place_of

__all__ = ["ALIAS", "capabilities", "forget", "register"]


def register() -> None:
    """Make kombu know the URLs of the embedded broker; a second call does nothing."""
    TRANSPORT_ALIASES[ALIAS] = "pacer_embedded.transport:Transport"


def forget(url: str) -> None:
    """Drop a broker in memory with all its messages; a file is left alone."""
    place = place_of(url)
    if place.path is None:
        _forget(place)
