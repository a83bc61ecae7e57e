"""The wire to a Redis: it reads scripts and answers that pass, and tells what they do as AMQP would.

The protocol is RESP 2 (redis.io/docs/latest/develop/reference/protocol-spec); what the scripts are given and
answer is in `plugins/pacer_redis/src/pacer_redis/lua`.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import redis
from attrs import define, field, frozen

from pacer_channel import HEADERS, decode_table
from pacer_redis.contents import unpack
from pacer_redis.scripts import script
from tests.faults.wire import Event, Wire, _like, _Link

KEY = "{pacer}"
NAMES = {script(name).digest: name for name in ("publish", "lease", "settle")}
TEXTS = {script(name).text: name for name in ("publish", "lease", "settle")}


@frozen
class _Error:
    """What Redis answers where it does not do what it was told."""

    text: str


@define(eq=False)
class _Conversation:
    """What is going on on one connection."""

    asked: deque[tuple[str, list[bytes], list[Event]]] = field(factory=deque)
    """Which script, what it was given, and what it is going to publish, or to acknowledge."""
    listens: bool = False
    """Whether it is a subscription, on which Redis speaks without being asked."""


class RedisWire(Wire):
    """A wire whose events are those of messages in Redis."""

    def __init__(self, broker: int) -> None:
        self._talks: defaultdict[int, _Conversation] = defaultdict(_Conversation)
        self._held: dict[bytes, Event] = {}
        self._names: dict[str, str] = {}
        self._undoing = threading.Lock()
        self._server = redis.Redis(port=broker, protocol=2)
        super().__init__(broker)

    def _from_client(self, link: _Link) -> None:
        talk, said = self._talks[link.number], _Values()
        for data in self._through(link, link.client, link.broker):
            for words in said.take(data):
                talk.listens |= words[0].upper() == b"SUBSCRIBE"
                name = _script(words)
                events = self._asked(link, name, words[4:])
                talk.asked.append((name, words[4:], events))
                for event in events:
                    self._pass(event)

    def _from_broker(self, link: _Link) -> None:
        talk, said = self._talks[link.number], _Values()
        confirmed: list[Event] = []
        for data in self._through(link, link.broker, link.client):
            if not data:  # everything before has been passed on
                self._confirm(link, confirmed)
                confirmed.clear()
                continue
            if talk.listens:
                continue
            for answer in said.take(data):
                name, words, events = talk.asked.popleft()
                if name == "lease" and isinstance(answer, list):
                    self._delivered(link, words, answer)
                elif name == "publish" and answer == b"OK":
                    confirmed += events
                elif answer != b"OK":  # nothing was done: a script unknown, or one that says no
                    with self._undoing:
                        for event in events:
                            self.events.remove(event)
            for publish in confirmed:
                self._see(_like(publish, "confirm"))

    def _asked(self, link: _Link, name: str, words: Sequence[bytes]) -> list[Event]:
        if name == "publish":
            return self._published(link, words)
        if name == "settle":
            return [_like(self._held[member], "ack") for member in words[1:] if member in self._held]
        return []

    def _published(self, link: _Link, words: Sequence[bytes]) -> list[Event]:
        found, at = [], 2
        while at < len(words):
            content = unpack(words[at])
            message, attempt = _told(content.properties)
            found.append(
                Event(
                    "publish",
                    link.number,
                    message,
                    exchange=content.exchange,
                    key=content.routing_key,
                    attempt=attempt,
                )
            )
            at += 2 + 3 * int(words[at + 1])
        return found

    def _delivered(self, link: _Link, words: Sequence[bytes], answer: Sequence[Any]) -> None:
        wishes = words[2 + int(words[1]) :]
        for place, given in enumerate(answer):
            number = wishes[7 * place].decode()
            for at in range(0, len(given) if isinstance(given, list) else 0, 4):
                rank, entry, seen, data = given[at : at + 4]
                message, attempt = _told(unpack(data).properties)
                event = Event(
                    "deliver",
                    link.number,
                    message,
                    queue=self._queue(number),
                    attempt=attempt + 1,
                    redelivered=seen == b"1",
                )
                self._held[b"%b:%b:%b" % (number.encode(), rank, entry)] = event
                self._pass(event)

    def _queue(self, number: str) -> str:
        if number not in self._names:
            queues: Any = self._server.hgetall(f"{KEY}:queues")
            self._names |= {decode_table(table)["number"]: name.decode() for name, table in queues.items()}
        return self._names[number]


def _script(words: Sequence[bytes]) -> str:
    match words[0].upper():
        case b"EVALSHA":
            return NAMES.get(words[1].decode(), "")
        case b"EVAL":
            return TEXTS.get(words[1].decode(), "")
        case _:
            return ""


def _told(properties: dict[str, Any]) -> tuple[str, int]:
    headers = properties.get(HEADERS) or {}
    given = headers.get("x-pacer-correlation-id") or properties.get("correlation_id") or ""
    return str(given), int(headers.get("x-pacer-attempt", 0))


class _Values:
    """Cuts a stream into the values of RESP 2."""

    def __init__(self) -> None:
        self._buffer = b""

    def take(self, data: bytes) -> Iterator[Any]:
        """Give the values that are whole with these bytes."""
        self._buffer += data
        while self._buffer:
            try:
                value, end = _value(self._buffer, 0)
            except _IncompleteError:
                return
            self._buffer = self._buffer[end:]
            yield value


class _IncompleteError(Exception):
    """More has to come."""


def _value(data: bytes, at: int) -> tuple[Any, int]:
    """Read a value; give it with the place behind it."""
    end = data.find(b"\r\n", at)
    if end < 0:
        raise _IncompleteError
    kind, line, at = data[at : at + 1], data[at + 1 : end], end + 2
    readers: dict[bytes, Callable[[], tuple[Any, int]]] = {
        b"+": lambda: (line, at),
        b"-": lambda: (_Error(line.decode()), at),
        b":": lambda: (int(line), at),
        b"$": lambda: _bulk(data, at, int(line)),
        b"*": lambda: _array(data, at, int(line)),
    }
    return readers[kind]()


def _bulk(data: bytes, at: int, size: int) -> tuple[bytes | None, int]:
    if size < 0:
        return None, at
    if len(data) < at + size + 2:
        raise _IncompleteError
    return data[at : at + size], at + size + 2


def _array(data: bytes, at: int, size: int) -> tuple[list[Any], int]:
    values = []
    for _ in range(size):
        value, at = _value(data, at)
        values.append(value)
    return values, at
