"""A facility for tests from end to end: a plugin whose tasks do what its messages say, and a broker."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import amqp
import pytest
from attrs import define

from pacer_core.config import load
from pacer_core.transport.connection import connect
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.topology import declare
from tests.services import RabbitMQ
from tests.support import Ran, Running, Site

PLUGIN = """
    import os, signal, threading, time
    from pathlib import Path
    from attrs import frozen
    from pacer_core import ConsumerType, Key, NotYet, Reject, Retry, Text, hookimpl, task

    HERE = Path(__file__).parent.parent

    @frozen
    class Job:
        name: Text
        first: str = ""
        second: str = ""
        other: str = ""
        number: int = 0

    def do(what, task, job, ctx):
        words = what.split()
        word, more = (*words, "", "")[:2]
        attempt = ctx.envelope.attempt
        line = f"{task} {job.name} {attempt}\\n"
        if word == "wait":  # until the test opens the gate
            append("waiting", line)
            while not (HERE / more).exists():
                time.sleep(0.01)
        append("effects", line)
        if word == "break":
            breakpoint()
        if word == "end":
            os.kill(os.getpid(), signal.SIGTERM)
        if word == "sleep":
            time.sleep(float(more))
        if word == "where":
            append("effects", f"in {os.getpid()} {threading.current_thread().name}\\n")
        if word == "once" and attempt > 1:
            return None
        if "retry" in words:
            return Retry("try again", after=0)
        if "notyet" in words:
            return NotYet("not there yet")
        if "reject" in words:
            return Reject("bad")
        if "error" in words:
            raise RuntimeError("so it goes")
        if word == "close":
            os.closerange(3, 1024)
        if "kill" in words:
            os.kill(os.getpid(), signal.SIGKILL)
        if word == "emit":
            ctx.emit(more, {"name": f"{job.name}-child"})
        if word == "note":
            ctx.facts[more] = attempt
        if word == "tell":
            append("effects", f"facts {ctx.facts} {sorted(ctx.envelope.headers.items())}\\n")

    def append(name, line):
        with open(HERE / name, "a") as file:
            file.write(line)

    @task
    def first(job, ctx):
        return do(job.first, "first", job, ctx)

    @task(after=[first])
    def second(job, ctx):
        return do(job.second, "second", job, ctx)

    @task
    def other(job, ctx):
        return do(job.other, "other", job, ctx)

    @task(name="follow")
    def follow(job, ctx):
        append("effects", f"follow {job.name} {ctx.envelope.correlation_id}\\n")

    @task(name="keyed")
    def keyed(job, ctx):
        append("effects", f"begin {job.name} {job.number}\\n")
        time.sleep(0.002)
        append("effects", f"end {job.name} {job.number}\\n")

    @task(many=50)
    def at_once(given):
        append("effects", f"given {len(given)}\\n")
        if len(given) > 1 and any(job.second == "fail" for job, _ in given):
            raise RuntimeError("not all at once")
        return [end(job, ctx) for job, ctx in given]

    def end(job, ctx):
        try:
            return do(job.first, "at_once", job, ctx)
        except Exception as error:
            return error

    @hookimpl
    def pacer_consumers():
        yield ConsumerType(name="jobs", message=Job, tasks=[first, second, other])
        yield ConsumerType(name="follow-ups", message=Job, tasks=[follow])
        yield ConsumerType(name="many", message=Job, tasks=[at_once, other])
        key = Key("name", of=lambda job, ctx: job.name)
        yield ConsumerType(name="keyed", message=Job, tasks=[keyed], key=key)
"""
CONFIG = """
brokers:
  main: {broker}
queues: [{queue}]
consumers:
  - {consumer}
{more}
logging: {{logLevel: INFO}}
processes: {{stateFolder: {state}, shutdownGrace: 5s}}
"""
LIMIT = 50_000
"""Bytes of a body that a `limited` broker takes."""
LOST = (amqp.AMQPError, OSError, KeyError)  # KeyError: py-amqp's, where the broker has said goodbye


def publish(file: Path, exchange: str, key: str, *bodies: bytes) -> None:
    """Publish messages to the broker of a configuration, with everything declared."""
    config = load(file)
    with closing(connect(config.broker, "test")) as connection:
        declare(connection, config)
    with closing(Publisher(config.broker)) as publisher:
        publisher.publish([Outgoing(exchange, key, body) for body in bodies])


@contextmanager
def limited(node: RabbitMQ, size: int = LIMIT) -> Iterator[None]:
    """Have a node refuse larger messages on the channels that are opened from now on."""

    def limit(old: int, new: int) -> None:
        # RabbitMQ 3.10 reads the one, 4.x the other.
        settings = {"application:set_env(rabbit, ": old, "persistent_term:put(": new}
        node.ctl("eval", ", ".join(f"{one}max_message_size, {to})" for one, to in settings.items()) + ".")

    limit(size, size)
    try:
        yield
    finally:
        limit(134_217_728, 16_777_216)  # their defaults


@define(eq=False)
class Lab:
    """One test's virtual host, configuration, and what its tasks have done."""

    site: Site
    node: RabbitMQ
    vhost: str
    _connection: Any = None

    def configure(
        self,
        *,
        queue: str = "name: jobs",
        consumer: str = "type: jobs, queues: [jobs], concurrency: 4",
        more: str = "",
        broker: str = "",
    ) -> Path:
        """Write the configuration."""
        main = f"host: 127.0.0.1, port: {self.node.port}, vHost: {json.dumps(self.vhost)}{broker}"
        if "health:" not in more:
            more += "\nhealth: {enabled: false}"  # the default port is one for all tests of a machine
        text = CONFIG.format(
            broker=f"{{{main}}}",
            queue=f"{{{queue}}}",
            consumer=f"{{{consumer}}}",
            more=more,
            state=self.site.folder / "state",
        )
        (self.site.folder / "pacer.yaml").write_text(text)
        return self.file

    @property
    def file(self) -> Path:
        """The configuration file."""
        return self.site.folder / "pacer.yaml"

    def once(self) -> Ran:
        """Work until every queue is empty."""
        return self.site.pacer("run", "--once", "-c", self.file)

    def run(self) -> Running:
        """Start ``pacer run``, and wait until it reads its queues."""
        running = self.site.start("run", "-c", self.file)
        running.wait_for("reading ")
        return running

    @property
    def channel(self) -> Any:
        """A channel of a client that has nothing to do with PACER."""
        if self._connection is not None:
            with suppress(*LOST):  # where the test has cut it
                return self._bytes(self._connection.channel())
            self._connection.collect()
        self._connection = amqp.Connection(host=f"127.0.0.1:{self.node.port}", virtual_host=self.vhost)
        self._connection.connect()
        return self._bytes(self._connection.channel())

    @staticmethod
    def _bytes(channel: Any) -> Any:
        channel.auto_decode = False
        return channel

    def close(self) -> None:
        """Close the client's connection."""
        with suppress(*LOST):
            if self._connection is not None:
                self._connection.close()

    def declare(self) -> None:
        """Let PACER declare its queues."""
        config = load(self.file)
        with closing(connect(config.broker, "test")) as connection:
            declare(connection, config)

    def publish(
        self,
        body: bytes | str | Mapping[str, Any],
        *,
        to: str = "jobs",
        exchange: str = "",
        headers: Mapping[str, Any] | None = None,
        **properties: Any,
    ) -> None:
        """Publish one message as any publisher would."""
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        message = amqp.Message(
            data if isinstance(data, bytes) else data.encode(),
            application_headers=dict(headers or {}),
            **({"delivery_mode": 2} | properties),
        )
        self.send(message, to, exchange)

    def send(self, message: Any, to: str = "jobs", exchange: str = "") -> None:
        """Publish a message of py-amqp's, confirmed."""
        channel = self.channel
        channel.confirm_select()
        channel.basic_publish_confirm(message, exchange=exchange, routing_key=to, mandatory=True)
        channel.close()

    def take(self, queue: str = "jobs.dead") -> list[Any]:
        """Give the messages of a queue, and remove them."""
        channel = self.channel
        taken = []
        while (message := channel.basic_get(queue, no_ack=True)) is not None:
            message.body = message.body or b""  # py-amqp gives text where there is none
            # RabbitMQ 4 leaves out what 3.x gives as an empty table.
            message.properties.setdefault("application_headers", {})
            taken.append(message)
        channel.close()
        return taken

    def waiting(self, queue: str = "jobs") -> int:
        """Give how many messages are ready in a queue."""
        channel = self.channel
        count = int(channel.queue_declare(queue, passive=True).message_count)
        channel.close()
        return count

    @property
    def effects(self) -> list[str]:
        """What the tasks have done, line by line."""
        return self._lines("effects")

    @property
    def counted(self) -> Counter[str]:
        """How often the tasks have done what."""
        return Counter(self.effects)

    @property
    def held(self) -> list[str]:
        """The tasks that have begun to wait for a gate."""
        return self._lines("waiting")

    def _lines(self, name: str) -> list[str]:
        file = self.site.folder / name
        text = file.read_text() if file.exists() else ""
        return text[: text.rfind("\n") + 1].splitlines()  # the last line may be half written

    def open_gate(self, name: str = "gate") -> None:
        """Let the tasks go on that wait for a gate."""
        (self.site.folder / name).touch()


@pytest.fixture
def lab(site: Site, rabbitmq: RabbitMQ, rabbitmq_vhost: str) -> Iterator[Lab]:
    """A lab on a virtual host of its own, with one consumer of type ``jobs``."""
    site.install("lab-pacer", PLUGIN)
    lab = Lab(site, rabbitmq, rabbitmq_vhost)
    lab.configure()
    yield lab
    lab.close()
