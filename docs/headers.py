"""The page on PACER's own headers, made of what code that writes them is checked against."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args, get_origin, get_type_hints

from pacer_core.transport.header_types import CopyHeaders, On
from pacer_core.transport.headers import PREFIX

HEAD = """\
# Headers

A copy that waits for its next attempt, and one in a dead queue, has the body of the message byte for byte, the
publisher's own headers, and those below. (Not the broker's: `x-delivery-count` and `x-acquired-count` count
returns within one queue.) Their names begin with `x-pacer-`; together they stay under 16 KiB.
PACER reads them again when the copy comes back, where its [signature](delivery.md#whose-word-is-taken) fits.

What is too long for the 16 KiB is shortened, tracebacks first.
"""
TABLE = "| Header | Type | Meaning |\n|---|---|---|"
ABOUT = {
    On.EVERY: "A message that goes into a partition at its first sight has those that say where it came from; "
    "there are no attempts yet, no tasks and no facts.",
    On.WAITING: "For people who look at the retry queues ([pacer waiting](../how-to/waiting.md)); PACER itself "
    "does not read them again.",
}
FOOT = """\
## On follow-ups and forwarded messages

A message that a task emits has `x-pacer-correlation-id` and `x-pacer-path`, taken over from the message that it
follows. One that is forwarded has the same two, with this broker added to the path, and none of the others.

## Properties

A copy, and a forwarded message, has the properties of the message, but for `expiration` and `user_id`, and is persistent (`delivery_mode` 2).
A follow-up has `content_type` `application/json`, and is persistent.
"""
NAMES = {str: "text", int: "integer", bool: "boolean", Any: "any"}


def page() -> str:
    """Give the page about headers."""
    return "\n".join([HEAD, *_tables(), FOOT])


def _tables() -> Iterator[str]:
    hints = get_type_hints(CopyHeaders, include_extras=True)
    for on in On:
        yield f"## {on.value}\n"
        if on in ABOUT:
            yield f"{ABOUT[on]}\n"
        yield TABLE
        for name, hint in hints.items():
            kind, *where, meaning = get_args(hint)
            if on in where:
                yield f"| `{PREFIX}{name}` | {_spelled(kind)} | {meaning} |"
        yield ""


def _spelled(hint: Any) -> str:
    """Say in AMQP's words what a header holds."""
    if get_origin(hint) is list:
        (inside,) = get_args(hint)
        return "list of tables" if get_origin(inside) is dict else f"list of {_spelled(inside)}"
    if get_origin(hint) is dict:
        _, inside = get_args(hint)
        return "table" if inside is Any else f"table of {_spelled(inside)}"
    return NAMES[hint]
