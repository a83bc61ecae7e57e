"""The YAML options of the service ``kafka``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

from attrs import field, frozen, validators

from pacer_core import PacerError, Secret
from pacer_kafka.decoders import JSON, decoder, known

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_OWN = {
    "bootstrap.servers": "bootstrapServers has them",
    "metadata.broker.list": "bootstrapServers has them",
    "group.id": "groupId has it",
    "enable.auto.commit": "PACER commits what its broker has confirmed, and nothing else",
    "enable.auto.offset.store": "PACER commits what its broker has confirmed, and nothing else",
}
_SECRET = re.compile(r"password|passphrase|secret|\.pem$|\.key$|token|sasl\.oauthbearer\.config")


def _is_topic(_: Any, __: Any, name: str) -> None:
    if not _TOPIC.fullmatch(name):
        raise ValueError("should be the name of a topic: letters, digits, '.', '_' and '-'")


def _are_known(_: Any, __: Any, identifiers: tuple[str, ...]) -> None:
    if not identifiers:
        raise ValueError("takes nothing: name what messages of the topic are taken, such as wrdn")
    for one in identifiers:
        try:
            decoder(one)
        except PacerError as error:
            raise ValueError(str(error)) from None


def _have_ends(topic: Topic, __: Any, to: dict[str, str]) -> None:
    for one in to:
        if one not in topic.take:
            raise ValueError(f"says where {one!r} goes, which 'take' does not name")
    for one in topic.take:
        if one in known() and not to.get(one) and not decoder(one).consumer_type:
            what = "JSON" if one == JSON else repr(one)
            raise ValueError(f"should say where {what} goes: {{{one}: CONSUMER-OR-QUEUE}}")


def _differ(_: Any, __: Any, topics: tuple[Topic, ...]) -> None:
    if not topics:
        raise ValueError("names no topic: nothing would be read")
    if len({one.name for one in topics}) < len(topics):
        raise ValueError("names a topic twice: give all that is taken from it in one place")


def _are_not_ours(_: Any, __: Any, given: dict[str, Any]) -> None:
    for name in given:
        if name in _OWN:
            raise ValueError(f"should not have {name!r}: {_OWN[name]}")
    for name, value in given.items():
        if not isinstance(value, str | int | float | Secret) and value is not None:
            raise ValueError(f"should have text, a number, true or false as {name!r}")


def _hidden(given: dict[str, Any]) -> dict[str, Any]:
    """Make secrets of what is one, also where it is written into the file itself."""
    return {
        name: Secret(value) if isinstance(value, str) and _SECRET.search(name) else value
        for name, value in given.items()
    }


@frozen
class Topic:
    """A topic, and what is taken from it.

    Attributes
    ----------
    name
        The topic.
    take
        The messages that are taken, by the identifiers of their FlatBuffers, and ``json``. Others are passed
        over, and counted.
    to
        By identifier, the consumer or the queue that such messages go to; by default the consumer that is
        called as the consumer type that they are for.
    """

    name: str = field(validator=_is_topic)
    take: tuple[str, ...] = field(default=("wrdn",), validator=_are_known)
    to: dict[str, str] = field(factory=dict, validator=_have_ends)

    def end(self, identifier: str) -> str:
        """Say where messages of an identifier go."""
        return self.to.get(identifier) or decoder(identifier).consumer_type

    @property
    def ends(self) -> tuple[str, ...]:
        """Where its messages go; dead ones that nobody can tell go to the first one's dead queue."""
        return tuple(self.end(one) for one in self.take)


@frozen
class KafkaOptions:
    """Topics of a Kafka cluster, whose messages are taken over.

    Attributes
    ----------
    bootstrap_servers
        Some brokers of the cluster, as ``HOST:PORT``; they name the others.
    topics
        The topics.
    group_id
        The consumer group, for which Kafka keeps how far it has come; all instances are members.
    librdkafka
        Any option of librdkafka by its own name, such as ``security.protocol``. Passwords, keys and tokens
        among them are never shown. ``auto.offset.reset`` is ``earliest`` where it is not given.
    pause_above
        While a queue that messages go to holds more than so many, none are read.
    null_values, unreadable
        What becomes of a message without a value, and of one that is cut off, damaged or no message at all:
        ``dead`` puts it into the dead queue of where the topic's first messages go, ``count`` counts it.
    writer_errors
        The same for a message that says of itself that its writer has failed; ``take`` takes it all the same.
    """

    bootstrap_servers: tuple[str, ...] = field(validator=validators.min_len(1))
    topics: tuple[Topic, ...] = field(validator=_differ)
    group_id: str = field(default="pacer", validator=validators.min_len(1))
    librdkafka: dict[str, Any] = field(factory=dict, validator=_are_not_ours, converter=_hidden, repr=False)
    pause_above: int = field(default=10_000, validator=validators.ge(1))
    null_values: Literal["dead", "count"] = "dead"
    unreadable: Literal["dead", "count"] = "dead"
    writer_errors: Literal["dead", "count", "take"] = "dead"

    @property
    def ends(self) -> tuple[str, ...]:
        """Where messages go, each place once."""
        return tuple(dict.fromkeys(self._ends()))

    def _ends(self) -> Iterator[str]:
        for topic in self.topics:
            yield from topic.ends
