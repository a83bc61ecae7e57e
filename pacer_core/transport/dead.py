"""Dead queues, read as a person wants them: which message, why it is there, and what was done before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import frozen

from pacer_core.messages import Envelope
from pacer_core.transport.connection import Contents, contents
from pacer_core.transport.headers import PREFIX, read_envelope


@frozen
class DeadLetter:
    """One message in a dead queue."""

    envelope: Envelope
    """As the message came; ``queue`` is the work queue it came from."""
    consumer: str
    error: str
    fields: tuple[str, ...] = ()
    """The first bad fields, as ``path: what is wrong``."""
    field_count: int = 0
    """How many bad fields there are in all."""
    pending: tuple[str, ...] = ()
    dead_at: str = ""


def look(connection: Any, queue: str) -> Iterator[DeadLetter]:
    """Give every message of a dead queue, and leave all of them there.

    Each is fetched and put back at the end, which counts as a return: the queue must not have a small
    delivery limit, and those that PACER declares have not.
    """
    channel = connection.channel()
    tags: list[Any] = []
    try:
        while (message := channel.basic_get(queue, no_ack=False)) is not None:
            content = contents(message)
            tags.append(content.tag)
            yield _letter(content, queue)
    finally:
        for tag in reversed(tags):
            channel.basic_reject(tag, requeue=True)
        channel.close()


def _letter(message: Contents, queue: str) -> DeadLetter:
    own: Mapping[str, Any] = message.headers
    envelope = read_envelope(
        message.body,
        str(own.get(f"{PREFIX}queue", queue)),
        message.delivery_info,
        message.properties,
        message.headers,
    )
    fields = own.get(f"{PREFIX}fields") or []
    return DeadLetter(
        envelope=envelope,
        consumer=str(own.get(f"{PREFIX}consumer", "")),
        error=str(own.get(f"{PREFIX}error", "dead-lettered by the broker")),
        fields=tuple(str(field) for field in fields),
        field_count=int(own.get(f"{PREFIX}field-count", len(fields))),
        pending=tuple(str(task) for task in own.get(f"{PREFIX}pending") or ()),
        dead_at=str(own.get(f"{PREFIX}dead-at", "")),
    )
