"""A facility with dead letters of all kinds, and ways to fill and to read its queues."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from attrs import define, field

from pacer_core import BadField, Delivery, Envelope, Outcome
from pacer_core.config import Config
from pacer_core.model.messages import TaskFailure
from pacer_core.transport import queue_status
from pacer_core.transport.amqp.deliveries import Contents
from pacer_core.transport.connection import connect, contents
from pacer_core.transport.copies import dead_headers
from pacer_core.transport.dead_queues import look
from pacer_core.transport.letters import DeadLetter
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.signing import signer_for
from tests.support import Site

PLUGIN = """
    from pathlib import Path

    from attrs import frozen
    from pacer_core import ConsumerType, NotYet, Reject, Text, hookimpl, task

    @frozen
    class Sample:
        name: Text

    def note(task, ctx):
        one = ctx.envelope
        with (Path(__file__).parent / "ran").open("a") as file:
            file.write(f"{task} {one.correlation_id} {one.attempt} {one.retries} {sorted(ctx.facts)}\\n")

    @task
    def register(sample, ctx):
        note("register", ctx)
        ctx.facts["number"] = 812

    @task(after=["register"])
    def store(sample, ctx):
        note("store", ctx)
        if not (Path(__file__).parent / "mended").exists():
            raise Reject("the catalogue does not want it", fields=[])

    @hookimpl
    def pacer_consumers():
        yield ConsumerType(name="samples", message=Sample, tasks=[register, store],
                           describe=lambda sample: {"sample": sample.name})
"""

CONFIG = """
    brokers:
      main: {{host: 127.0.0.1, port: {port}, username: guest, password: guest, vHost: {vhost}}}
    exchanges: [{{name: user-office, type: topic}}]
    queues:
      - {{name: samples, exchange: user-office, routingKey: "sample.#", type: {type}}}
      - {{name: parcels, exchange: user-office, routingKey: parcel}}
    consumers: [{{type: samples, queues: [samples]}}, {{type: forward, queues: [parcels]}}]
"""

NOW = datetime.now(UTC)


@define(eq=False)
class Facility:
    """A configuration with its broker, and ways to fill and to read its queues."""

    site: Site
    file: Path
    config: Config
    publisher: Publisher = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.publisher = Publisher(self.config.broker)

    def pacer(self, *arguments: str | Path) -> Any:
        command, *others = arguments
        if command == "dead":
            return self.site.pacer("dead", others[0], "-c", self.file, *others[1:])
        return self.site.pacer(command, "-c", self.file, *others)

    def die(self, number: int, **changes: Any) -> None:
        """Put a letter of PACER's into a dead queue."""
        copy = letter(number, **changes)
        self.publisher.publish([signer_for(self.config).signed(copy, copy.routing_key.removesuffix(".dead"))])

    def fill(self, count: int, size: int = 0) -> None:
        for first in range(0, count, 500):
            self.publisher.publish(
                [letter(one, body=b"x" * size) for one in range(first, min(first + 500, count))]
            )

    def put(self, queue: str, body: bytes, **properties: Any) -> None:
        self.publisher.publish([Outgoing("", queue, body, properties=properties)])

    def depth(self, queue: str) -> int:
        with closing(connect(self.config.broker, "test")) as connection:
            return queue_status.depth(connection, queue) or 0

    def letters(self, queue: str = "samples.dead") -> list[DeadLetter]:
        with closing(connect(self.config.broker, "test")) as connection:
            return list(look(connection, queue))

    def ids(self, queue: str = "samples.dead") -> list[str]:
        return [one.envelope.correlation_id for one in self.letters(queue)]

    def taken(self, queue: str = "samples") -> list[Contents]:
        """Take everything out of a queue."""
        found: list[Contents] = []
        with closing(connect(self.config.broker, "test")) as connection:
            channel = connection.channel()
            channel.basic_consume(queue=queue, no_ack=True, callback=lambda one: found.append(contents(one)))
            try:
                while True:
                    connection.drain_events(timeout=0.5)
            except TimeoutError:
                return found


def letter(
    number: int,
    *,
    consumer: str = "samples",
    reason: str = "the catalogue does not want it",
    ago: timedelta = timedelta(0),
    body: bytes = b'{"name": "a"}',
    queue: str = "samples",
    done: tuple[str, ...] = (),
    fields: tuple[BadField, ...] = (),
) -> Outgoing:
    """Give what settlement publishes when a message is dead."""
    envelope = Envelope(
        body, queue, "user-office", "sample.new",
        headers={"beamline": "bl06"}, properties={"content_type": "application/json", "message_id": "m"},
        correlation_id=f"c-{number}", first_seen=NOW - timedelta(days=3), attempt=5, retries=4,
    )  # fmt: skip
    failure = TaskFailure("store", "error", reason, fields=fields, trace="Traceback: in store")
    delivery = Delivery(
        envelope, consumer, Outcome.DEAD, failures=(failure,), done=done, pending=("store",),
        facts={"number": 812} if done else {}, description={"sample": f"s-{number}"},
    )  # fmt: skip
    headers = dead_headers(delivery, 4, f"store: {reason}")
    headers["x-pacer-dead-at"] = (NOW - ago + timedelta(microseconds=number)).isoformat()
    return Outgoing("", f"{queue}.dead", body, headers, {"content_type": "application/json"})
