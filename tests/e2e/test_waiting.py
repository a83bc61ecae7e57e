"""``pacer waiting``: what waits for a retry is seen, hastened and removed, and nothing of it is lost."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from attrs import define

from pacer_core import Delivery, Envelope, Outcome
from pacer_core.config import Config, load
from pacer_core.model.messages import TaskFailure
from pacer_core.transport import queue_browser, queue_status
from pacer_core.transport.amqp.deliveries import Contents
from pacer_core.transport.connection import connect, contents
from pacer_core.transport.copies import copy_headers
from pacer_core.transport.dead_queues import BATCH, look
from pacer_core.transport.letter_reading import read_waiting
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.topology import declare
from tests.support import Ran, Site, eventually

PLUGIN = """
    from attrs import frozen
    from pacer_core import ConsumerType, Retry, Text, hookimpl, task

    @frozen
    class Sample:
        proposal: Text

    @task
    def register(sample, ctx):
        pass

    @task(after=["register"])
    def store(sample, ctx):
        if ctx.envelope.attempt == 1:
            raise Retry(f"ICAT has no investigation {sample.proposal!r} with visit '1'", after=3600)

    @hookimpl
    def pacer_consumers():
        yield ConsumerType(name="samples", message=Sample, tasks=[register, store],
                           describe=lambda sample: {"proposal": sample.proposal})
"""
CONFIG = """
    brokers: {{main: {broker}}}
    queues: [{{name: samples}}, {{name: parcels}}]
    consumers: [{{type: samples, queues: [samples]}}, {{type: forward, name: couriers, queues: [parcels]}}]
    health: {{enabled: false}}
"""
NOW = datetime.now(UTC)


@define(eq=False)
class Place:
    """A configuration with its broker, and what is done there."""

    site: Site
    file: Path
    config: Config
    publisher: Publisher

    def pacer(self, command: str, *others: str | Path) -> Ran:
        first, *more = command.split()
        return self.site.pacer(first, *more, "-c", self.file, *others)

    def wait(self, number: int, **changes: Any) -> None:
        self.publisher.publish([copy(number, **changes)])

    def depth(self, queue: str) -> int:
        with closing(connect(self.config.broker, "test")) as connection:
            return queue_status.depth(connection, queue) or 0

    def ids(self, queue: str = "pacer.retry.3600s") -> list[str]:
        with closing(connect(self.config.broker, "test")) as connection:
            return [one.envelope.correlation_id for one in look(connection, queue, read=read_waiting)]

    def taken(self, queue: str = "samples") -> list[Contents]:
        found: list[Contents] = []
        with closing(connect(self.config.broker, "test")) as connection:
            channel = connection.channel()
            wanted = queue_status.depth(connection, queue) or 0
            channel.basic_consume(queue=queue, no_ack=True, callback=lambda one: found.append(contents(one)))
            while len(found) < wanted:
                connection.drain_events(timeout=30)
        return found


def copy(
    number: int,
    *,
    queue: str = "samples",
    consumer: str = "samples",
    reason: str = "ICAT has no investigation",
    step: int = 3600,
    ago: timedelta = timedelta(hours=1),
    body: bytes = b'{"proposal": "HG-12"}',
) -> Outgoing:
    """Give what settlement publishes when a message has to wait."""
    envelope = Envelope(
        body, queue, "user-office", "sample.new",
        headers={"beamline": "bl06"}, properties={"content_type": "application/json"},
        correlation_id=f"c-{number}", first_seen=NOW - ago, attempt=3, retries=1,
    )  # fmt: skip
    failure = TaskFailure("store", "not-yet", f"{reason} 'HG-{number}'")
    delivery = Delivery(
        envelope, consumer, Outcome.RETRIED, failures=(failure,), done=("register",), pending=("store",),
        facts={"number": 812}, description={"proposal": f"HG-{number}", "beamline": "BL06"},
    )  # fmt: skip
    return Outgoing(
        f"pacer.retry.{step}s", queue, body, copy_headers(delivery, 1), {"content_type": "application/json"}
    )


@pytest.fixture(params=["rabbitmq", "sqlite"])
def place(site: Site, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    """A configuration at RabbitMQ, or at the embedded broker, with everything declared."""
    site.install("sample-pacer", PLUGIN)
    if request.param == "sqlite":
        broker = f"{{protocol: sqlite, path: {tmp_path / 'broker.db'}}}"
    else:
        node, vhost = request.getfixturevalue("rabbitmq"), request.getfixturevalue("rabbitmq_vhost")
        account = "username: guest, password: guest"
        broker = f"{{host: 127.0.0.1, port: {node.port}, {account}, vHost: {vhost}}}"
    file = site.write(CONFIG.format(broker=broker))
    config = load(file)
    with (
        closing(connect(config.broker, "test")) as connection,
        closing(Publisher(config.broker)) as publisher,
    ):
        declare(connection, config)
        yield Place(site, file, config, publisher)


def test_what_a_message_waits_for_is_seen_and_it_goes_on_at_once(place: Place) -> None:
    place.publisher.publish([Outgoing("", "samples", b'{"proposal": "20250330096"}',
                                      properties={"correlation_id": "c-1"})])  # fmt: skip
    assert place.pacer("run --once").code == 2
    done = place.pacer("waiting list")
    assert done.code == 0
    for text in (
        "samples   proposal 20250330096",
        "store: ICAT has no investigation '20250330096' with visit '1'",
        "1 attempt, correlation id c-1",
        "1 message waits to go back to samples",
    ):
        assert text in done.out
    (one,) = orjson.loads(place.pacer("waiting list", "--json").out)["letters"]
    assert (one["consumer"], one["about"]) == ("samples", {"proposal": "20250330096"})
    assert (one["came_from"], one["delay"], one["attempts"]) == ("samples", 3600, 1)
    due, since = (datetime.fromisoformat(one[name]) for name in ("due", "waits_since"))
    assert due - since == timedelta(hours=1)
    shown = place.pacer("waiting show", one["id"][:5]).out
    for text in ("waits for", "with visit '1'", "register", "1, which failed", "next"):
        assert text in shown
    status = place.pacer("status").out
    assert "1 message waits for a retry: 1 for 1 h" in status
    assert "samples  store: ICAT has no investigation … with visit …" in status
    back = place.pacer("waiting now", "--yes", "--about", "proposal=20250330096")
    assert (back.code, "1 of 1 message sent back" in back.out) == (0, True)
    assert place.pacer("run --once").code == 0
    assert place.pacer("waiting list").out == "nothing waits for a retry\n"


def test_what_goes_on_at_once_is_what_would_have_gone_on_later(place: Place) -> None:
    place.wait(1, body=b'\xef\xbb\xbf{"name": "\xc3\xa9"}\r\n')
    place.ids()  # so that the broker counts a return
    sent = copy(1)
    assert place.pacer("waiting now", "--yes", "--all").code == 0
    (one,) = place.taken()
    assert one.body == b'\xef\xbb\xbf{"name": "\xc3\xa9"}\r\n'
    varies = "x-pacer-waits-since"
    assert {**one.headers, varies: ""} == {**sent.headers, varies: ""}
    assert one.properties == {"content_type": "application/json", "delivery_mode": 2}
    assert one.headers["x-pacer-first-seen"] == (NOW - timedelta(hours=1)).isoformat()
    assert place.ids() == []


@pytest.mark.parametrize(
    ("filters", "meant"),
    [
        (["--consumer", "samples"], {1, 2}),
        (["--error", "NO INVEST.*HG"], {1, 2}),
        (["--waits-for", "away"], {3}),
        (["--about", "hg-2"], {2}),
        (["--about", "proposal=HG-3"], {3}),
        (["--about", "proposal=BL06"], set()),
        (["--older-than", "2d"], {2}),
        (["--newer-than", "2d"], {1, 3}),
        (["--correlation-id", "c-3"], {3}),
        (["c-1"], {1}),
    ],
)
@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_filters_pick_waiting_messages(place: Place, filters: list[str], meant: set[int]) -> None:
    place.wait(1)
    place.wait(2, ago=timedelta(days=4), step=300)
    place.wait(3, queue="parcels", consumer="couriers", reason="ICAT is away")
    discarded = place.pacer("waiting discard", "--yes", *filters)
    assert discarded.code == (0 if meant else 1)
    left = {*place.ids(), *place.ids("pacer.retry.300s")}
    assert left == {f"c-{number}" for number in {1, 2, 3} - meant}


def test_what_waits_for_other_configurations_is_named_and_not_touched(place: Place) -> None:
    place.wait(1)
    place.wait(2, queue="somebody-elses")
    done = place.pacer("waiting list")
    assert "1 message waits to go back to samples" in done.out
    assert "1 message of this virtual host waits to go back to queues that are not in this" in done.err
    assert place.pacer("waiting discard", "--yes", "--all").code == 0
    assert place.ids() == ["c-2"]
    assert "'c-2'" in place.pacer("waiting show", "c-2").err


def test_a_message_whose_queue_is_gone_goes_on_waiting(place: Place) -> None:
    place.wait(1)
    place.wait(2, queue="parcels")
    with closing(connect(place.config.broker, "test")) as connection:
        connection.channel().queue_delete(queue="samples")
    done = place.pacer("waiting now", "--yes", "--all")
    assert (done.code, "1 of 2 messages sent back" in done.out) == (1, True)
    assert "1 left where it is: no queue takes messages" in done.out
    assert place.ids() == ["c-1"]
    assert place.depth("parcels") == 1


def test_a_look_at_what_waits_keeps_its_order_and_its_time(place: Place) -> None:
    numbers = range(40)
    place.publisher.publish([copy(number, step=5) for number in numbers])
    wanted = [f"c-{number}" for number in numbers]
    looks = [place.ids("pacer.retry.5s") for _ in range(3)]
    assert all(seen == wanted[-len(seen) :] or not seen for seen in looks), looks
    eventually(lambda: place.depth("samples") == len(numbers))
    assert [one.headers["x-pacer-correlation-id"] for one in place.taken()] == wanted
    assert place.ids("pacer.retry.5s") == []


def test_a_look_does_not_wait_for_what_has_fallen_due_meanwhile(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.publisher.publish([copy(number) for number in range(5)])
    depth = queue_status.depth
    asked: list[int] = []

    def before(connection: Any, queue: str) -> int | None:
        asked.append(1)  # the first look counts two more than there are by the time it begins
        number = depth(connection, queue)
        return None if number is None else number + (2 if len(asked) == 1 else 0)

    monkeypatch.setattr(queue_browser, "depth", before)
    monkeypatch.setattr(queue_browser, "_PATIENCE", 1e9)
    assert place.ids() == [f"c-{number}" for number in range(5)]


def test_a_killed_command_loses_nothing(place: Place) -> None:
    for first in range(0, 2000, 500):
        place.publisher.publish([copy(number) for number in range(first, first + 500)])
    running = place.site.start("waiting", "now", "-c", place.file, "--yes", "--all")
    eventually(lambda: place.depth("samples") > 100, what=lambda: running.printed)
    os.killpg(running.process.pid, signal.SIGKILL)
    running.process.wait()
    # The broker has noticed that the process is gone once it has everything back.
    eventually(lambda: place.depth("pacer.retry.3600s") + place.depth("samples") >= 2000)
    copies = Counter(one.headers["x-pacer-correlation-id"] for one in place.taken())
    left = set(place.ids())
    assert {*copies} | left == {f"c-{number}" for number in range(2000)}
    assert max(copies.values()) == 1
    assert len({*copies} & left) <= BATCH  # a batch that was confirmed, and not yet acknowledged


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
@pytest.mark.parametrize("pile", ["dead", "waiting"])
@pytest.mark.parametrize("command", ["list", "list --json", "discard --yes"])
def test_a_consumer_that_is_not_there_is_said_so(place: Place, pile: str, command: str) -> None:
    place.wait(1)
    done = place.pacer(f"{pile} {command}", "--consumer", "sample")
    assert done.code == 1
    assert "no consumer 'sample'" in done.err
    assert "(did you mean 'samples'?)" in done.err
    assert "there are: couriers, samples" in place.pacer(f"{pile} list", "-n", "x").err


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_nothing_chosen_and_nothing_there_is_well(place: Place) -> None:
    for pile in ("dead", "waiting"):
        assert place.pacer(f"{pile} list").code == 0
        assert place.pacer(f"{pile} discard", "--yes", "--all").code == 0
        assert place.pacer(f"{pile} list", "--error", "x").code == 1
        assert place.pacer(f"{pile} show", "x").code == 1


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_what_a_program_reads_is_neither_cut_nor_filled_up(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    reason = f"{'a long reason ' * 40}ends here"
    place.wait(1, reason=reason)
    for command in ("waiting list", "waiting show c-1", "status", "doctor"):
        first, *more = command.split()
        out = place.pacer(" ".join([first, *more[:1]]), *more[1:]).out
        assert [one for one in out.splitlines() if one != one.rstrip()] == []
        assert "…" not in out.replace("'…'", "").replace(" …", "")
        if first == "waiting":
            assert f"{reason} 'HG-1'" in out


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_what_is_in_hand_is_a_column(place: Place) -> None:
    place.publisher.publish([Outgoing("", "samples", b"{}")] * 7)
    with closing(connect(place.config.broker, "another")) as connection:
        channel = connection.channel()
        for _ in range(5):
            channel.basic_get("samples")
        rows = [row.split() for row in place.pacer("status").out.splitlines()]
        totals = orjson.loads(place.pacer("status", "--json").out)["totals"]
    assert ["samples", "samples", "2", "5", "0", "0"] in rows
    assert totals == {"ready": 2, "in_hand": 5, "waiting": 0, "dead": 0}
