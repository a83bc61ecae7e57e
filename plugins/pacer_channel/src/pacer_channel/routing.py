"""Which queues a message goes to: the four exchange types of AMQP, as RabbitMQ reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen

TYPES = ("direct", "topic", "fanout", "headers")


@frozen
class Binding:
    """A queue bound to an exchange; ``arguments`` matter for headers exchanges alone."""

    queue: str
    routing_key: str
    arguments: Mapping[str, Any] = field(factory=dict)


def route(
    kind: str, bindings: Iterable[Binding], routing_key: str, headers: Mapping[str, Any]
) -> tuple[str, ...]:
    """Give the names of the queues that take a message, each once, in the order of their bindings."""
    match kind:
        case "direct":
            taken = (one.queue for one in bindings if one.routing_key == routing_key)
        case "topic":
            subject = _subject(routing_key)
            taken = (one.queue for one in bindings if topic_pattern(one.routing_key).fullmatch(subject))
        case "fanout":
            taken = (one.queue for one in bindings)
        case "headers":
            taken = (one.queue for one in bindings if headers_match(one.arguments, headers))
        case _:
            raise ValueError(f"unknown exchange type {kind!r}; known are {', '.join(TYPES)}")
    return tuple(dict.fromkeys(taken))


def topic_pattern(binding_key: str) -> re.Pattern[str]:
    """Give the pattern of a topic binding: ``*`` is one word and ``#`` any number of them, none included."""
    # kombu's own pattern wants a dot before an ending "#", so that "a.#" misses "a"; RabbitMQ takes it.
    words = {"*": r"\.[^.]*", "#": r"(?:\.[^.]*)*"}
    parts = binding_key.split(".") if binding_key else []
    return re.compile("".join(words.get(word) or r"\." + re.escape(word) for word in parts))


def _subject(routing_key: str) -> str:
    return f".{routing_key}" if routing_key else ""


def headers_match(arguments: Mapping[str, Any], headers: Mapping[str, Any]) -> bool:
    """Tell whether a headers binding takes a message (RabbitMQ's ``x-match``: all, any, ...-with-x)."""
    how = arguments.get("x-match", "all")
    wanted = {
        name: value
        for name, value in arguments.items()
        if name != "x-match" and (how.endswith("-with-x") or not name.startswith("x-"))
    }
    hits = (
        name in headers and (value is None or (headers[name] == value and type(headers[name]) is type(value)))
        for name, value in wanted.items()
    )
    return any(hits) if how.startswith("any") else all(hits)
