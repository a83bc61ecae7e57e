"""An SQS (ElasticMQ) that is killed, restarted or frozen, and workers that die at it: nothing is lost.

Nothing reads along on the wire, so that no book tells which acknowledgement was lost: what is judged is that
each message is somewhere, that the right ones are dead, and that no more is done again than was in hand.
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any
from uuid import uuid4

import pytest
from attrs import define, field

from pacer_core.config import load
from pacer_core.transport.connection import connect, contents
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.queue_status import depth
from tests.at_length import Scale, long
from tests.faults.accounts import Account
from tests.faults.conftest import ACCOUNTS
from tests.faults.jobs import PLUGIN
from tests.faults.ledger import Ledger, Who
from tests.faults.processes import alive, workers
from tests.faults.wire import Event
from tests.lab import Lab
from tests.services import ElasticMQ
from tests.services.fixtures import skip_without_program
from tests.support import Running, Site, eventually

CONFIG = """
    brokers:
      main:
        protocol: sqs
        region: us-east-1
        endpoint: "http://127.0.0.1:{port}"
        accessKeyId: pacer
        secretAccessKey: of-the-tests
        queuePrefix: "{vhost}"
        visibilityTimeout: 4s
        longPoll: 1s
        connectTimeout: 1s
    queues: [{{name: jobs}}, {{name: children}}]
    consumers:
      - {{type: {kind}, queues: [jobs]{consumer}}}
      - {{type: children, queues: [children]}}
    {more}
    logging: {{logLevel: INFO}}
    health: {{enabled: false}}
    processes: {{stateFolder: {state}, shutdownGrace: {grace}}}
"""


@define(eq=False)
class Unread:
    """A wire that nobody reads along on."""

    port: int
    confirmed: list[Event] = field(factory=list)
    events: list[Event] = field(factory=list)


@define(eq=False)
class SqsLedger(Ledger):
    """The books of one test on an SQS of its own."""

    text = CONFIG

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        with closing(connect(load(self.lab.file).broker, "test")) as connection:
            yield connection

    def publish(self, bodies: Mapping[str, bytes]) -> None:
        """Publish bodies, each under its correlation id."""
        about = {"content_type": "application/json", "delivery_mode": 2}
        with closing(Publisher(load(self.lab.file).broker)) as publisher:
            publisher.publish(
                [
                    Outgoing("", "jobs", body, {}, about | {"correlation_id": name})
                    for name, body in bodies.items()
                ]
            )
        self.sent |= {("jobs", name) for name in bodies}

    def buried(self) -> set[Who]:
        """Give those that have to be dead, once as many are."""
        try:
            with self._connected() as connection:
                found = depth(connection, "jobs.dead") or 0
        except Exception:  # the server is away
            return set()
        return {("jobs", name) for name in self.dead} if found >= len(self.dead) else set()

    def held(self) -> int:
        """Count nothing: all that waits was waited for."""
        return 0

    def _gather(self, found: dict[str, Counter[Who]]) -> None:
        with self._connected() as connection:
            for queue in self.tasks:
                for place, of in (("retry", queue), ("dead", f"{queue}.dead")):
                    channel = connection.channel()
                    while (message := channel.basic_get(of)) is not None:
                        found[place][queue, _name(contents(message))] += 1
                        channel.basic_ack(message.delivery_tag)
                    channel.close()

    def _excused(self) -> set[Who]:
        return set(self.sent)

    def _ended(self) -> Counter[Who]:
        return Counter(self.done())


def _name(message: Any) -> str:
    return str(message.headers.get("x-pacer-correlation-id") or message.properties["correlation_id"])


@pytest.fixture
def ledger(site: Site, request: pytest.FixtureRequest) -> Iterator[tuple[SqsLedger, ElasticMQ]]:
    """The ledger of a test on an ElasticMQ of its own."""
    site.install("ledger-pacer", PLUGIN)
    with skip_without_program():
        server = ElasticMQ()
    record: Callable[[Account], None] = request.config.stash[ACCOUNTS].append
    with server:
        lab = Lab(site, None, f"{uuid4().hex[:12]}-")  # type: ignore[arg-type]  # there is no RabbitMQ
        yield SqsLedger(lab, Unread(server.port), record), server  # type: ignore[arg-type]  # nor its wire


@pytest.mark.parametrize("fault", ["server killed and frozen", pytest.param("workers killed", marks=long)])
def test_an_sqs_that_goes_and_comes_back_and_workers_that_die_lose_nothing(
    ledger: tuple[SqsLedger, ElasticMQ], scale: Scale, fault: str
) -> None:
    books, server = ledger
    chance = random.Random(11)
    books.configure(consumer=", concurrency: 4, workers: 2, crashes: 1000")
    config = load(books.lab.file)
    running = books.lab.run()
    faults = 0
    for _ in range(scale(1, 8)):
        for strike in _freeze_and_kill(server, running) if "server" in fault else [_kill_workers(running)]:
            books.mixture(scale(30, 300))
            books.wait_for_share(running, chance.uniform(0.3, 0.8))
            strike()
            faults += 1
    books.wait(running, 240)

    assert running.end() == 0, running.printed[-4000:]
    account = books.close(f"SQS: {fault}, {faults} times")
    in_hand = 2 * max(plan.prefetch for plan in config.consumers)
    assert account.repeated <= 3 * in_hand * faults
    assert account.twice <= in_hand * faults


def _freeze_and_kill(server: ElasticMQ, running: Running) -> list[Callable[[], None]]:
    def freeze() -> None:
        before = running.printed.count("lost sqs://")
        server.signal(signal.SIGSTOP)
        try:
            eventually(
                lambda: running.printed.count("lost sqs://") > before, 90, lambda: running.printed[-4000:]
            )
        finally:
            server.signal(signal.SIGCONT)

    def kill() -> None:
        server.kill()
        server.start()

    return [kill, freeze]


def _kill_workers(running: Running) -> Callable[[], None]:
    def kill() -> None:
        for worker in filter(alive, workers(running)):
            os.kill(worker, signal.SIGKILL)

    return kill
