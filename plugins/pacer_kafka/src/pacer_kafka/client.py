"""The only door to confluent-kafka: one member of a consumer group, and what its trouble is in words."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from attrs import frozen
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from pacer_core import PacerError, Secret, redact
from pacer_kafka.offsets import Partition
from pacer_kafka.options import KafkaOptions
from pacer_kafka.reading import Record

Rebalanced = Callable[[list[Partition]], None]
_DEFAULTS: Mapping[str, Any] = {
    "client.id": "pacer",
    "auto.offset.reset": "earliest",  # librdkafka's own would pass over what came while nobody read
    # What is read ahead is held in memory: a few batches are enough, if what is missing is fetched at once.
    "queued.min.messages": 2_000,
    "queued.max.messages.kbytes": 16_384,
    "fetch.queue.backoff.ms": 10,
}
_ADVICE = {
    KafkaError._AUTHENTICATION: "correct sasl.username and sasl.password under librdkafka",
    KafkaError.SASL_AUTHENTICATION_FAILED: "correct sasl.username and sasl.password under librdkafka",
    KafkaError._SSL: "look at ssl.ca.location and the other ssl options under librdkafka",
    KafkaError._RESOLVE: "correct bootstrapServers",
    KafkaError._TRANSPORT: "look whether bootstrapServers and security.protocol are right",
    KafkaError._ALL_BROKERS_DOWN: "look whether Kafka runs, and whether bootstrapServers are right",
    KafkaError.UNKNOWN_TOPIC_OR_PART: "make the topic, or correct its name",
    KafkaError._UNKNOWN_TOPIC: "make the topic, or correct its name",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "let PACER's account read the topic",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "let PACER's account use the consumer group of groupId",
}


_VAGUE = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT}


@frozen
class Problem:
    """What keeps Kafka from being read: what is wrong, and what to do."""

    text: str
    is_vague: bool = False
    """Whether it only says that nobody answers; a wrong password is told as what it is beside that."""
    is_fatal: bool = False
    """Whether this member can read no more, and another one has to be made."""

    def __str__(self) -> str:
        return self.text


def _problem(error: KafkaError) -> Problem:
    advice = _ADVICE.get(error.code(), "")
    text = redact(error.str()) + (f": {advice}" if advice else "")
    return Problem(text, is_vague=error.code() in _VAGUE, is_fatal=error.fatal())


@contextmanager
def _plainly(what: str) -> Iterator[None]:
    """Turn what the library raises into an error of PACER's."""
    try:
        yield
    except KafkaException as error:
        cause = error.args[0]
        why = _problem(cause) if isinstance(cause, KafkaError) else redact(str(error))
        raise PacerError(f"{what}: {why}") from None


class Member:
    """One member of the consumer group; but for the callbacks, all of it is called by one thread.

    Parameters
    ----------
    options
        The service's options.
    log
        Where librdkafka's own records go.
    trouble
        Told of what keeps it from reading: the connection, an account, a topic.

    Raises
    ------
    PacerError
        Where librdkafka does not know an option, or does not take its value.
    """

    def __init__(
        self, options: KafkaOptions, log: logging.Logger, trouble: Callable[[Problem], None]
    ) -> None:
        given = {**_DEFAULTS, **options.librdkafka}
        settings = {
            **{name: one.reveal() if isinstance(one, Secret) else one for name, one in given.items()},
            "bootstrap.servers": ",".join(options.bootstrap_servers),
            "group.id": options.group_id,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "error_cb": lambda error: trouble(_problem(error)),
            "on_commit": self._committed,
        }
        self._trouble, self._log = trouble, log
        self._untaken: Rebalanced = lambda _: None
        self._topics = [one.name for one in options.topics]
        with _plainly("librdkafka does not take its options; correct them under librdkafka"):
            self._consumer = Consumer(settings, logger=log)

    def subscribe(
        self, assigned: Rebalanced, revoked: Rebalanced, lost: Rebalanced, untaken: Rebalanced
    ) -> None:
        """Join the group; the callbacks are called from within `take`.

        ``untaken`` is told of partitions whose offsets Kafka did not take after a `commit` without waiting.
        """
        self._untaken = untaken
        self._consumer.subscribe(
            self._topics,
            on_assign=lambda _, partitions: assigned(_pairs(partitions)),
            on_revoke=lambda _, partitions: revoked(_pairs(partitions)),
            on_lost=lambda _, partitions: lost(_pairs(partitions)),
        )

    def take(self, most: int, patience: float) -> list[Record]:
        """Wait for a record; give it with what has come in with it, and hold none back for more to come."""
        first = self._consumer.poll(patience)
        if first is None:
            return []
        with _plainly("Kafka cannot be read"):
            more = self._consumer.consume(most - 1, 0) if most > 1 else []
        return [record for one in (first, *more) if (record := self._record(one)) is not None]

    def _record(self, message: Message) -> Record | None:
        if (error := message.error()) is not None:
            self._trouble(_problem(error))
            return None
        given: Any = message.headers() or ()
        headers = {name: value for name, value in given if isinstance(value, bytes)}
        return Record(
            str(message.topic()),
            int(message.partition() or 0),
            int(message.offset() or 0),
            message.key(),
            message.value(),
            headers,
        )

    def pause(self, partitions: Iterable[Partition]) -> None:
        """Read no more of these; `take` goes on being called, so that the group sees us."""
        self._consumer.pause([TopicPartition(*one) for one in partitions])

    def resume(self, partitions: Iterable[Partition]) -> None:
        """Read these again, from where they were."""
        self._consumer.resume([TopicPartition(*one) for one in partitions])

    def commit(self, offsets: Mapping[Partition, int], *, wait: bool = False) -> None:
        """Tell Kafka how far partitions have come; with ``wait``, until it has taken note.

        Raises
        ------
        PacerError
            Where it does not take note: what is behind the last commit comes again.
        """
        told = [TopicPartition(*one, offset) for one, offset in offsets.items()]
        with _plainly("Kafka takes no offsets"):
            if not wait:
                self._consumer.commit(offsets=told, asynchronous=True)
                return
            for one in self._consumer.commit(offsets=told, asynchronous=False):
                if one.error is not None:
                    raise KafkaException(one.error)

    def _committed(self, error: KafkaError | None, partitions: Sequence[TopicPartition]) -> None:
        """Hear what became of a commit that nobody waited for."""
        for one in [error, *(partition.error for partition in partitions)]:
            if one is not None:
                self._log.warning("Kafka takes no offsets: %s", _problem(one))
                self._untaken(_pairs(partitions))
                return

    def partitions(self, seconds: float) -> dict[str, int | Problem]:
        """Give of each topic how many partitions it has, or what is wrong with it.

        Raises
        ------
        PacerError
            Where no broker answers in time.
        """
        with _plainly("Kafka does not answer"):
            there = self._consumer.list_topics(timeout=seconds).topics
        return {name: _partitions(there.get(name)) for name in self._topics}

    def close(self) -> None:
        """Leave the group; what was not committed comes to another member, or to the next run."""
        self._consumer.close()


def _pairs(partitions: Sequence[TopicPartition]) -> list[Partition]:
    return [(one.topic, one.partition) for one in partitions]


def _partitions(topic: Any) -> int | Problem:
    if topic is None:
        return _problem(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
    return _problem(topic.error) if topic.error is not None else len(topic.partitions)
