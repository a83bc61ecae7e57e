"""What is sent again: the payload that a message's first stage had, whole, or why it cannot be sent.

It asks no viewer: the runner does, and nobody is shown what is read here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import field, frozen

from pacer_dashboard.models import Item, Life, Lineage, Payload, Sight

NOT_KEPT = (
    "its payload is not there any more, or was never kept: its publisher can send it, or `pacer dead replay` "
    "where it is dead"
)
_DEEPEST = 100


@frozen
class Body:
    """A message's payload, its media type, and the headers that its publisher had given it."""

    data: bytes = field(repr=False)
    content_type: str | None = None
    headers: Mapping[str, Any] = field(factory=dict)


def of(items: Sequence[Item]) -> Iterator[Body | str]:
    """Give for each item what is sent, or why nothing can be."""
    for item in items:
        sight = first_sight(item.origin)
        if sight is None:
            yield "the message is not there any more: it has been forgotten after its time"
        elif item.body is not None:
            yield _body(item.body, sight)
        elif (text := _text(sight)) is None:
            yield NOT_KEPT
        elif len(text.encode()) != sight.payload_size:
            yield (
                f"of its {sight.payload_size:,} bytes the record could not keep all as text: its publisher "
                "can send it, or `pacer dead replay` where it is dead"
            )
        else:
            yield _body(text, sight)


def first_sight(correlation_id: str) -> Sight | None:
    """Give the first sight of a message: what it was when it came in."""
    place = Life.objects.filter(correlation_id=correlation_id).first()
    if place is None:
        return None
    sights = Sight.objects.filter(
        arrived=place.arrived, correlation_id=correlation_id, troubled=place.troubled
    )
    return sights.order_by("first_seen", "attempt", "finished", "id").first()


def payload(correlation_id: str) -> str | None:
    """Give the payload of a message's first sight."""
    sight = first_sight(correlation_id)
    return None if sight is None else _text(sight)


def times(correlation_id: str) -> int:
    """Tell how often a message had been sent again before it came to be this one."""
    seen = {correlation_id}
    for number in range(_DEEPEST):
        origin = (
            Lineage.objects.filter(correlation_id=correlation_id).values_list("origin", flat=True).first()
        )
        if origin is None or origin in seen:
            return number
        seen.add(origin)
        correlation_id = origin
    return _DEEPEST


def _text(sight: Sight) -> str | None:
    if not sight.digest:
        return None
    return (
        Payload.objects.filter(
            arrived=sight.arrived,
            correlation_id=sight.correlation_id,
            digest=sight.digest,
            troubled=sight.troubled,
        )
        .values_list("body", flat=True)
        .first()
    )


def _body(text: str, sight: Sight) -> Body:
    headers = sight.detail.get("headers") or {}
    return Body(text.encode(), sight.content_type or None, headers)
