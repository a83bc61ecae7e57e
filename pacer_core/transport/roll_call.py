"""Which host has which partition: those that have them say so, now and then and when they are asked.

AMQP tells nobody who reads a queue, and who reads it not whether it is active. But only the active reader
gets messages: it says so in a queue that keeps this for a minute, and answers a message that asks. Such a
question waits until it is read, as one that expired would be a dead letter; so nobody asks where something
waits already: whoever handles that has said so by itself, or will not answer soon.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any
from uuid import uuid4

import orjson
from attrs import frozen

from pacer_core.config.model import Config
from pacer_core.model.messages import Envelope
from pacer_core.model.queue_names import hosts_queue
from pacer_core.transport.connection import contents
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.queue_status import depth, losses

_TYPE = "pacer.roll-call"
_PATIENCE = 2.5  # seconds for an answer: who has much to do before gives none


@frozen
class Holder:
    """Who has a partition."""

    host: str
    pid: int

    def __str__(self) -> str:
        return f"{self.host}, process {self.pid}"


def asked(envelope: Envelope) -> bool:
    """Say whether a message only asks who reads it."""
    return envelope.properties.get("type") == _TYPE and not envelope.body


def answer(prefix: str, queue: str, call: str) -> Outgoing:
    """Give what says that this process has a partition; ``call`` is the id of the question, or empty."""
    said = {"queue": queue, "host": socket.gethostname(), "pid": os.getpid(), "call": call}
    return Outgoing("", hosts_queue(prefix), orjson.dumps(said), {}, {"delivery_mode": 2})


def holders(connection: Any, config: Config, queues: Sequence[str]) -> Mapping[str, Holder]:
    """Ask who has some partitions that are read; one who does not answer now may have said so before.

    Raises
    ------
    BrokerError
        Where the broker is lost.
    """
    if not queues:
        return {}
    call = uuid4().hex
    about = {"type": _TYPE, "correlation_id": call, "delivery_mode": 1}
    idle = [queue for queue in queues if depth(connection, queue) == 0]
    with closing(Publisher(config.broker)) as publisher:
        publisher.publish_each([Outgoing("", queue, b"", {}, about) for queue in idle])
    prefixes = [space.prefix for space in config.key_spaces.values()]
    until = time.monotonic() + _PATIENCE
    while True:
        said = [one for prefix in prefixes for one in _said(connection, hosts_queue(prefix))]
        answers = {one["queue"]: _holder(one) for one in said if one["call"] == call}
        if answers.keys() >= set(idle) or time.monotonic() > until:
            return {one["queue"]: _holder(one) for one in said if one["queue"] in queues} | answers
        time.sleep(0.1)


def _holder(said: Mapping[str, Any]) -> Holder:
    return Holder(str(said["host"]), int(said["pid"]))


def _said(connection: Any, queue: str) -> Iterable[Mapping[str, Any]]:
    """Give all that is in a queue of answers, the oldest first, and leave it there."""
    with losses():
        channel = connection.channel()
        try:
            found = []
            while (message := channel.basic_get(queue)) is not None:
                found.append(_read(contents(message).body))
            return [one for one in found if one is not None]
        finally:
            channel.close()


def _read(body: bytes) -> Mapping[str, Any] | None:
    try:
        said = orjson.loads(body)
        return said if {"queue", "host", "pid", "call"} <= said.keys() else None
    except (ValueError, AttributeError):
        return None
