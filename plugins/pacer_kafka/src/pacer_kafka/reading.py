"""A value of Kafka's, read: what PACER publishes of it, or why it does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from attrs import evolve, field, frozen

from pacer_core import Publication
from pacer_kafka.decoders import decoder, identify
from pacer_kafka.options import KafkaOptions, Topic

PREFIX = "x-kafka-"
"""What the headers begin with that tell where a message stood in Kafka."""
_KEY = 1024  # characters of a key, in a header


@frozen
class Record:
    """One message of a topic."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes] = field(factory=dict)

    @property
    def place(self) -> str:
        """Where it stands, by which a repeat is recognised."""
        return f"{self.topic}/{self.partition}/{self.offset}"


@frozen
class Read:
    """What a record is: what is counted of it, and what is published, if anything is."""

    counted: str
    publication: Publication | None = None


class Reader:
    """Reads the records of the topics of some options."""

    def __init__(self, options: KafkaOptions) -> None:
        self._options = options
        self._topics = {topic.name: topic for topic in options.topics}

    def read(self, record: Record) -> Read:
        """Make sense of a record; never raises for what is in it."""
        topic, value = self._topics[record.topic], record.value
        if value is None:
            return self._bad(topic, record, "null_values", self._options.null_values, "it has no value")
        identifier = identify(value, topic.take)
        if not identifier:
            why = f"its {len(value):,} bytes are neither JSON nor a FlatBuffer" if value else "it is empty"
            return self._bad(topic, record, "unreadable", self._options.unreadable, why)
        if identifier not in topic.take:
            return Read("ignored")
        found = decoder(identifier)
        try:
            decoded = found.decode(value)
            problem = found.problem(decoded)
            body = decoded if isinstance(decoded, bytes) else orjson.dumps(decoded, option=_NUMPY)
        except Exception as error:  # whatever a library makes of bytes that somebody has sent
            why = f"it cannot be read as {identifier}: {_said(error)}"
            return self._bad(topic, record, "unreadable", self._options.unreadable, why)
        sent = _publication(topic.end(identifier), record, body)
        if problem and self._options.writer_errors != "take":
            return _dead("writer_errors", self._options.writer_errors, sent, f"{record.place}: {problem}")
        return Read("taken", sent)

    def refused(self, record: Record, publication: Publication, why: str) -> Publication:
        """Give what says in the dead queue that the broker does not take a record, and where it is."""
        place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        reason = f"{record.place}: the broker does not take it; it is still in Kafka: {why}"
        return Publication(
            publication.to, orjson.dumps(place), {}, "application/json", record.place, dead=reason
        )

    def _bad(self, topic: Topic, record: Record, what: str, way: str, why: str) -> Read:
        sent = _publication(topic.ends[0], record, record.value or b"", None)
        return _dead(what, way, sent, f"{record.place}: {why}")


_NUMPY = orjson.OPT_SERIALIZE_NUMPY


def _dead(what: str, way: str, sent: Publication, reason: str) -> Read:
    if way == "count":
        return Read(what)
    return Read(what, evolve(sent, dead=reason))


def _publication(
    to: str, record: Record, body: bytes, content_type: str | None = "application/json"
) -> Publication:
    headers: dict[str, Any] = {
        f"{PREFIX}topic": record.topic,
        f"{PREFIX}partition": record.partition,
        f"{PREFIX}offset": record.offset,
    }
    if record.key is not None:
        headers[f"{PREFIX}key"] = record.key.decode("utf-8", "backslashreplace")[:_KEY]
    for name in ("traceparent", "tracestate"):  # https://www.w3.org/TR/trace-context/
        if given := record.headers.get(name):
            headers[name] = given.decode("ascii", "replace")
    return Publication(to, body, headers, content_type, record.place)


def _said(error: Exception) -> str:
    """Say what a decoder said, as far as it quotes nothing: of others' errors, the type."""
    return str(error) if type(error) is ValueError and str(error) else type(error).__name__
