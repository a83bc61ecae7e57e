"""Dead queues: looked at, replayed, exported and discarded, with nothing lost whatever happens meanwhile."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import amqp
import orjson
import pytest
from attrs import define, field

from pacer_core import BadField, Delivery, Envelope, Outcome
from pacer_core.config import Config, load
from pacer_core.errors import BrokerError
from pacer_core.messages import TaskFailure
from pacer_core.transport import dead
from pacer_core.transport.connection import connect, contents
from pacer_core.transport.dead import BATCH, look, take
from pacer_core.transport.deliver import Contents
from pacer_core.transport.headers import dead_headers
from pacer_core.transport.letters import DeadLetter, replayed
from pacer_core.transport.publish import Outgoing, Publisher
from pacer_core.transport.topology import declare
from pacer_core.worker import Worker
from tests.services import RabbitMQ
from tests.support import Site, eventually

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
        self.publisher.publish([letter(number, **changes)])

    def fill(self, count: int, size: int = 0) -> None:
        for first in range(0, count, 500):
            self.publisher.publish(
                [letter(one, body=b"x" * size) for one in range(first, min(first + 500, count))]
            )

    def put(self, queue: str, body: bytes, **properties: Any) -> None:
        self.publisher.publish([Outgoing("", queue, body, properties=properties)])

    def depth(self, queue: str) -> int:
        with closing(connect(self.config.broker, "test")) as connection:
            return dead.depth(connection, queue) or 0

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


@pytest.fixture
def facility(
    site: Site, rabbitmq: RabbitMQ, rabbitmq_vhost: str, request: pytest.FixtureRequest
) -> Iterator[Facility]:
    """A facility on a virtual host of its own; with the parameter ``classic``, on classic queues."""
    site.install("sample-pacer", PLUGIN)
    kind = getattr(request, "param", "quorum")
    file = site.write(CONFIG.format(port=rabbitmq.port, vhost=rabbitmq_vhost, type=kind))
    here = Facility(site, file, load(file))
    with closing(connect(here.config.broker, "test")) as connection:
        if kind == "classic":
            connection.channel().queue_declare(queue="samples.dead", durable=True, auto_delete=False)
        else:
            declare(connection, here.config)
    with closing(here.publisher):
        yield here


def test_a_list_tells_when_who_what_and_why(facility: Facility) -> None:
    facility.die(1, fields=tuple(BadField(f"sample.parts[{n}]", "is missing") for n in range(25)))
    facility.die(2, reason="KeyError: 'x'", consumer="parcels", queue="parcels")
    done = facility.pacer("dead", "list")
    assert done.code == 0
    for text in (
        "sample s-1",
        "the catalogue does not want it",
        "sample.parts[0]: is missing; 24 more",
        "5 attempts, correlation id c-1",
        "2 letters in parcels.dead, samples.dead",
    ):
        assert text in done.out
    assert facility.letters()[0].id in done.out


def test_letters_are_there_in_the_same_order_after_thirty_looks(facility: Facility) -> None:
    facility.fill(120)
    wanted = [f"c-{number}" for number in range(120)]
    for _ in range(30):
        assert facility.ids() == wanted
    assert facility.depth("samples.dead") == 120


@pytest.mark.parametrize("facility", ["classic", "quorum"], indirect=True)
def test_a_long_dead_queue_keeps_its_order_as_well(facility: Facility) -> None:
    facility.fill(1500)  # more than the first prefetch
    wanted = [f"c-{number}" for number in range(1500)]
    assert [facility.ids() == wanted for _ in range(3)] == [True] * 3


def test_several_people_who_look_at_once_all_see_everything(facility: Facility) -> None:
    facility.fill(300)
    counts: list[int] = []
    people = [threading.Thread(target=lambda: counts.append(len(facility.ids()))) for _ in range(4)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert counts == [300] * 4


def test_whoever_would_have_to_wait_too_long_is_told_so(facility: Facility) -> None:
    facility.die(1)
    with (
        closing(connect(facility.config.broker, "a")) as first,
        closing(connect(facility.config.broker, "b")) as second,
    ):
        held = look(first, "samples.dead")
        next(held)
        with pytest.raises(BrokerError, match=r"somebody else is looking at samples\.dead"):
            list(look(second, "samples.dead", patience=0.3))
        held.close()  # type: ignore[attr-defined]  # a generator
        assert len(list(look(second, "samples.dead", patience=5))) == 1


def test_a_broker_that_takes_its_time_is_not_taken_for_an_empty_queue(
    facility: Facility, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead, "_SILENCE", 0.0005)  # every pause counts as a long one
    facility.fill(3000)
    assert [len(facility.ids()) for _ in range(3)] == [3000] * 3


def test_letters_that_another_program_holds_are_said_to_be_missing(
    facility: Facility, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dead, "_PATIENCE", 0.0)
    facility.fill(20)
    with closing(connect(facility.config.broker, "another")) as connection:
        channel = connection.channel()
        depth = dead.depth
        taken: list[Any] = []

        def snatching(connection: Any, queue: str) -> int | None:
            number = depth(connection, queue)
            if not taken:
                taken.extend(channel.basic_get("samples.dead") for _ in range(5))
            return number

        monkeypatch.setattr(dead, "depth", snatching)
        assert len(facility.ids()) == 15
    assert "5 letters of samples.dead are missing: somebody else holds them" in caplog.text
    monkeypatch.undo()
    eventually(lambda: facility.depth("samples.dead") == 20)


def test_what_arrives_during_a_look_is_left_out_and_stays(facility: Facility) -> None:
    facility.fill(50)
    with closing(connect(facility.config.broker, "test")) as connection:
        seen: list[DeadLetter] = []
        for one in look(connection, "samples.dead"):
            facility.die(1000 + len(seen))
            seen.append(one)
    assert len(seen) == 50
    eventually(lambda: facility.depth("samples.dead") == 100)


def test_a_look_that_is_cut_off_loses_nothing(facility: Facility) -> None:
    facility.fill(200)
    connection = connect(facility.config.broker, "test")
    held = look(connection, "samples.dead")
    next(held)
    with connection.connection.sock as cut:  # py-amqp forgets it, and does not close it
        cut.shutdown(socket.SHUT_RDWR)
        with pytest.raises(BrokerError, match="lost the broker"):
            list(held)
    eventually(lambda: facility.depth("samples.dead") == 200)
    assert facility.ids() == [f"c-{number}" for number in range(200)]


@pytest.mark.parametrize(
    ("filters", "meant"),
    [
        (["--consumer", "samples"], {1, 2, 3}),
        (["--consumer", "parcels"], {4}),
        (["--error", "KEYERROR"], {2}),
        (["--error", "away.*[0-9]s"], {3}),
        (["--error", "(no regex"], {4}),
        (["--error", r"parts\[7"], {1}),
        (["--older-than", "2d"], {2}),
        (["--newer-than", "2d"], {1, 3, 4}),
        (["--older-than", "30min", "--newer-than", "2d"], {3}),
        (["--correlation-id", "c-3"], {3}),
        (["--consumer", "samples", "--error", "KeyError", "--newer-than", "1h"], set()),
    ],
)
def test_filters_pick_letters(facility: Facility, filters: list[str], meant: set[int]) -> None:
    facility.die(1, fields=(BadField("parts[7].name", "is missing"),))
    facility.die(2, reason="KeyError: 'x'", ago=timedelta(days=4))
    facility.die(3, reason="ICAT is away for 12s", ago=timedelta(hours=2))
    facility.die(4, reason="(no regex", consumer="parcels", queue="parcels")
    found = orjson.loads(facility.pacer("dead", "list", "--json", *filters).out)
    assert {one["correlation_id"] for one in found["letters"]} == {f"c-{number}" for number in meant}
    assert found["counts"]["matching"] == len(meant)
    assert found["counts"]["looked"] == 4
    discarded = facility.pacer("dead", "discard", "--yes", *filters)
    assert discarded.code == 0
    left = {*facility.ids(), *facility.ids("parcels.dead")}
    assert left == {f"c-{number}" for number in {1, 2, 3, 4} - meant}


def test_a_list_shows_the_latest_and_counts_all(facility: Facility) -> None:
    facility.fill(50)
    done = facility.pacer("dead", "list", "--limit", "3")
    assert "the latest 3 of 50" in done.out
    assert re.findall(r"sample s-(\d+)", done.out) == ["47", "48", "49"]
    assert "50 letters in samples.dead" in done.out


def test_a_letter_is_shown_whole_and_its_body_only_on_request(facility: Facility) -> None:
    facility.die(1, body=b'{"name": "Ada Lovelace"}', done=("register",))
    short = facility.letters()[0].id
    done = facility.pacer("dead", "show", short[:4])
    for text in ("Traceback: in store", "register", '{"number":812}', "beamline: bl06", "c-1", "user-office",
                 "5, of which 4 counted as retries"):  # fmt: skip
        assert text in done.out
    assert "Lovelace" not in done.out
    assert "Lovelace" in facility.pacer("dead", "show", "c-1", "--body").out
    plain = orjson.loads(facility.pacer("dead", "show", short, "--json").out)
    assert plain["failures"][0]["trace"] == "Traceback: in store"
    assert "body" not in plain
    missing = facility.pacer("dead", "show", "zzzz")
    assert (missing.code, "no letter 'zzzz'" in missing.err) == (1, True)


def test_what_a_publisher_sent_cannot_move_the_cursor(facility: Facility) -> None:
    facility.publisher.publish(
        [Outgoing("", "samples.dead", b"\x1b[2Jhello", {"who\x1b[2J": "me\x1b]0;owned\x07"})]
    )
    short = facility.letters()[0].id
    for arguments in (("list",), ("show", short, "--body")):
        done = facility.pacer("dead", *arguments)
        assert "\x1b" not in done.both
    assert "hello" in done.out


def test_replay_runs_everything_again_as_if_the_message_were_new(facility: Facility) -> None:
    facility.publisher.publish([Outgoing("user-office", "sample.new", b'{"name": "a"}', {"site": "alba"},
                                         {"correlation_id": "c-9"})])  # fmt: skip
    assert run(facility) == {Outcome.DEAD: 1}
    (facility.site.folder / "sample_pacer" / "mended").touch()
    done = facility.pacer("dead", "replay", "--yes", "--all")
    assert (done.code, "1 of 1 letter replayed" in done.out) == (0, True)
    assert run(facility) == {Outcome.ACKED: 1}
    assert ran(facility) == [
        "register c-9 1 0 []", "store c-9 1 0 ['number']",
        "register c-9 1 0 []", "store c-9 1 0 ['number']",
    ]  # fmt: skip


def test_replay_of_what_is_pending_keeps_what_is_done_and_its_facts(facility: Facility) -> None:
    facility.publisher.publish([Outgoing("user-office", "sample.new", b'{"name": "a"}',
                                         properties={"correlation_id": "c-9"})])  # fmt: skip
    run(facility)
    (facility.site.folder / "sample_pacer" / "mended").touch()
    assert facility.pacer("dead", "replay", "--yes", "--pending-only", "--correlation-id", "c-9").code == 0
    assert run(facility) == {Outcome.ACKED: 1}
    assert ran(facility)[2:] == ["store c-9 1 0 ['number']"]


def test_a_replayed_copy_is_the_message_and_nothing_of_its_first_life(facility: Facility) -> None:
    body = b'\xef\xbb\xbf{"name": "\xc3\xa9"}\r\n'
    facility.die(1, body=body)
    facility.ids()  # so that the broker counts a return
    facility.pacer("dead", "replay", "--yes", "--all")
    (copy,) = facility.taken()
    assert copy.body == body
    assert copy.headers == {
        "beamline": "bl06",
        "x-pacer-version": 1,
        "x-pacer-correlation-id": "c-1",
        "x-pacer-exchange": "user-office",
        "x-pacer-routing-key": "sample.new",
    }
    assert copy.properties == {"content_type": "application/json", "delivery_mode": 2}


def test_a_letter_of_the_broker_s_own_is_explained_and_goes_back_where_it_came_from(
    facility: Facility,
) -> None:
    facility.publisher.publish([Outgoing("user-office", "parcel", b"{}", {"site": "alba"},
                                         {"message_id": "m-7"})])  # fmt: skip
    reject_all(facility, "parcels")
    eventually(lambda: facility.depth("parcels.dead") == 1)
    (one,) = facility.letters("parcels.dead")
    assert (one.origin, one.consumer, one.envelope.queue) == ("broker", "", "parcels")
    assert one.error == "dead-lettered by the broker: rejected"
    assert (one.envelope.exchange, one.envelope.routing_key) == ("user-office", "parcel")
    assert one.dead_at is not None
    assert one.id == facility.letters("parcels.dead")[0].id
    assert facility.pacer("dead", "replay", "--yes", one.id).code == 0
    (copy,) = facility.taken("parcels")
    assert copy.headers["x-pacer-exchange"] == "user-office"
    assert "x-death" not in copy.headers
    assert copy.headers["site"] == "alba"
    assert copy.properties["message_id"] == "m-7"


def test_a_letter_that_somebody_else_put_there_goes_to_the_queue_whose_dead_queue_it_is(
    facility: Facility,
) -> None:
    facility.put("samples.dead", b"whatever", content_type="text/plain")
    (one,) = facility.letters()
    assert (one.origin, one.envelope.correlation_id, one.dead_at) == ("foreign", "", None)
    assert facility.letters()[0].id == one.id
    assert facility.pacer("dead", "discard", "--yes", "--older-than", "1s").code == 0
    assert facility.depth("samples.dead") == 1  # when it died is not known
    assert facility.pacer("dead", "replay", "--yes", "--all").code == 0
    assert [copy.body for copy in facility.taken()] == [b"whatever"]


@pytest.mark.parametrize("act", ["replay", "discard", "export"])
def test_a_dry_run_counts_and_changes_nothing(facility: Facility, act: str, tmp_path: Path) -> None:
    facility.fill(12)
    target = [tmp_path / "out"] if act == "export" else []
    done = facility.pacer("dead", act, "--dry-run", "--all", *target)
    assert (done.code, "12 letters in samples.dead" in done.out) == (0, True)
    assert "dry run: nothing was changed" in done.out
    assert (facility.depth("samples.dead"), facility.depth("samples")) == (12, 0)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("act", ["replay", "discard", "export"])
def test_without_a_yes_nothing_happens(facility: Facility, act: str, tmp_path: Path) -> None:
    facility.fill(3)
    target = [tmp_path / "out"] if act == "export" else []
    done = facility.pacer("dead", act, "--all", *target)
    assert done.code == 1
    assert "3 letters" in done.out
    assert (facility.depth("samples.dead"), facility.depth("samples")) == (3, 0)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("act", ["replay", "discard"])
def test_an_act_without_a_choice_is_refused(facility: Facility, act: str) -> None:
    facility.fill(3)
    assert "Give an ID, a filter, or --all" in facility.pacer("dead", act, "--yes").err
    assert "exclude each other" in facility.pacer("dead", act, "--yes", "--all", "-n", "samples").err
    assert facility.depth("samples.dead") == 3


def test_letters_are_named_by_ids_of_which_the_beginning_is_enough(facility: Facility) -> None:
    facility.fill(3)
    first, second, _ = facility.letters()
    assert facility.pacer("dead", "discard", "--yes", first.id[:6], second.id).code == 0
    assert facility.ids() == ["c-2"]
    assert facility.pacer("dead", "discard", "--yes", "zzzzzz").code == 1


def test_only_what_was_counted_is_acted_upon(facility: Facility, monkeypatch: pytest.MonkeyPatch) -> None:
    facility.fill(3)

    def confirm(*_: Any, **__: Any) -> bool:
        facility.die(77)  # a worker goes on, while a person thinks
        facility.pacer("dead", "discard", "--yes", "c-1")  # and somebody else helps
        return True

    monkeypatch.setattr("click.confirm", confirm)
    done = facility.pacer("dead", "replay", "--all")
    assert "2 of 3 letters replayed" in done.out
    assert "1 were no longer there" in done.out
    assert done.code == 1
    assert facility.ids() == ["c-77"]


def test_letters_whose_queue_is_gone_stay(facility: Facility) -> None:
    facility.fill(3)
    facility.die(7, queue="parcels", consumer="parcels")
    with closing(connect(facility.config.broker, "test")) as connection:
        connection.channel().queue_delete(queue="samples")
    done = facility.pacer("dead", "replay", "--yes", "--all")
    assert done.code == 1
    assert "3 left where they are: no queue takes messages" in done.out
    assert "1 of 4 letters replayed" in done.out
    assert facility.ids() == ["c-0", "c-1", "c-2"]
    assert facility.depth("parcels") == 1


def test_letters_stay_when_the_work_queue_is_full(facility: Facility) -> None:
    with closing(connect(facility.config.broker, "test")) as connection:
        connection.channel().queue_delete(queue="samples")
        connection.channel().queue_declare(
            queue="samples", durable=True, auto_delete=False,
            arguments={"x-max-length": 1, "x-overflow": "reject-publish"},
        )  # fmt: skip
    facility.fill(5)
    done = facility.pacer("dead", "replay", "--yes", "--all")
    assert done.code == 69
    assert "the others are still in their dead queues" in done.err
    assert facility.depth("samples.dead") == 5


class _Killed(BaseException):
    """The end of a process, as far as its letters are concerned."""


@pytest.mark.parametrize("moment", ["before the copy", "after the copy"])
def test_a_crash_around_the_copy_loses_nothing(facility: Facility, moment: str) -> None:
    facility.fill(BATCH + 50)
    batches: list[int] = []

    def copy(letters: Sequence[DeadLetter]) -> None:
        batches.append(len(letters))
        if len(batches) == 2 and moment == "before the copy":
            raise _Killed
        facility.publisher.publish([replayed(one.envelope) for one in letters])
        if len(batches) == 2:
            raise _Killed

    with closing(connect(facility.config.broker, "test")) as connection, pytest.raises(_Killed):
        take(connection, "samples.dead", lambda _: True, copy)
    assert batches == [BATCH, 50]
    copies = Counter(one.headers["x-pacer-correlation-id"] for one in facility.taken())
    left = Counter(facility.ids())
    everything = {f"c-{number}" for number in range(BATCH + 50)}
    assert {*copies, *left} == everything
    assert max(copies.values()) == max(left.values()) == 1
    assert {*left} >= {f"c-{number}" for number in range(BATCH, BATCH + 50)}
    assert {*copies} == (everything if moment == "after the copy" else everything - {*left})


def test_a_letter_that_comes_back_although_it_was_acknowledged_is_removed_again(
    facility: Facility, monkeypatch: pytest.MonkeyPatch
) -> None:
    facility.fill(BATCH)
    acks: list[int] = []
    ack = amqp.Channel.basic_ack

    def forgetful(channel: Any, tag: int, *others: Any) -> None:
        acks.append(tag)
        if len(acks) > 3:
            ack(channel, tag, *others)

    monkeypatch.setattr(amqp.Channel, "basic_ack", forgetful)
    assert facility.pacer("dead", "replay", "--yes", "--all").code == 0
    assert len(facility.taken()) == BATCH
    assert facility.depth("samples.dead") == 0
    assert len(acks) == BATCH + 3


def test_a_replay_that_is_killed_loses_nothing(facility: Facility) -> None:
    facility.fill(3000)
    running = facility.site.start("dead", "replay", "-c", facility.file, "--yes", "--all")
    eventually(lambda: facility.depth("samples") > 500, what=lambda: running.printed)
    os.killpg(running.process.pid, signal.SIGKILL)
    running.process.wait()
    copies = {one.headers["x-pacer-correlation-id"] for one in settled(facility)}
    assert len(copies) > 500
    assert copies | set(facility.ids()) == {f"c-{number}" for number in range(3000)}


def test_a_replay_that_is_interrupted_finishes_its_batch_and_says_so(facility: Facility) -> None:
    facility.fill(3000)
    running = facility.site.start("dead", "replay", "-c", facility.file, "--yes", "--all")
    eventually(lambda: facility.depth("samples") > 500, what=lambda: running.printed)
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(30) == 1
    assert "interrupted: the others are still in their dead queues" in running.printed
    copies = Counter(one.headers["x-pacer-correlation-id"] for one in settled(facility))
    left = Counter(facility.ids())
    assert copies.total() + left.total() == 3000
    assert {*copies, *left} == {f"c-{number}" for number in range(3000)}


def test_a_worker_that_fills_the_queue_meanwhile_disturbs_nobody(facility: Facility) -> None:
    facility.fill(300)
    stop = threading.Event()
    added: list[int] = []

    def fill(publisher: Publisher) -> None:
        with closing(publisher):
            while not stop.is_set():
                publisher.publish([letter(10_000 + len(added))])
                added.append(1)

    worker = threading.Thread(target=fill, args=(Publisher(facility.config.broker),))
    worker.start()
    done = facility.pacer("dead", "replay", "--yes", "--all")
    stop.set()
    worker.join()
    assert done.code == 0, done.both
    copies = Counter(one.headers["x-pacer-correlation-id"] for one in facility.taken())
    left = Counter(facility.ids())
    assert {*copies} >= {f"c-{number}" for number in range(300)}
    assert copies.total() + left.total() == 300 + len(added)
    assert not {*copies} & {*left}


@pytest.mark.parametrize("name", ["out", "out.jsonl"])
def test_an_export_keeps_bodies_byte_for_byte_and_can_be_sent_again(
    facility: Facility, tmp_path: Path, name: str
) -> None:
    bodies = [b'\xef\xbb\xbf{"name": "\xc3\xa9"}\r\n', bytes(range(256))]
    for number, body in enumerate(bodies):
        facility.die(number, body=body)
    target = tmp_path / name
    done = facility.pacer("dead", "export", "--yes", "--all", target)
    assert (done.code, "2 of 2 letters exported" in done.out) == (0, True)
    assert facility.depth("samples.dead") == 2
    assert target.stat().st_mode & 0o077 == 0
    if target.is_dir():
        assert sorted(path.read_bytes() for path in target.glob("*.json")) == sorted(bodies)
        (about, _) = sorted(target.glob("*.letter"))
        assert orjson.loads(about.read_bytes())["correlation_id"] == "c-0"
    assert "2 letters confirmed" in facility.pacer("send", target).out
    copies = facility.taken()
    assert [copy.body for copy in copies] == bodies
    assert [copy.headers["x-pacer-correlation-id"] for copy in copies] == ["c-0", "c-1"]
    assert [copy.headers["beamline"] for copy in copies] == ["bl06"] * 2
    facility.pacer("send", "--exchange", "", "--routing-key", "parcels", target)
    assert facility.depth("parcels") == 2


def test_an_export_may_remove_what_is_on_the_disk(facility: Facility, tmp_path: Path) -> None:
    facility.fill(BATCH + 3)
    target = tmp_path / "out.jsonl"
    assert facility.pacer("dead", "export", "--yes", "--remove", "--all", target).code == 0
    assert len(target.read_bytes().splitlines()) == BATCH + 3
    assert facility.depth("samples.dead") == 0


def test_an_export_overwrites_no_file_and_removes_nothing_then(facility: Facility, tmp_path: Path) -> None:
    facility.fill(3)
    target = tmp_path / "out.jsonl"
    target.write_text("precious")
    done = facility.pacer("dead", "export", "--yes", "--remove", "--all", target)
    assert (done.code, "is there already" in done.err) == (70, True)
    assert target.read_text() == "precious"
    eventually(lambda: facility.depth("samples.dead") == 3)


def test_an_export_that_was_cut_off_says_so_when_it_is_sent(facility: Facility, tmp_path: Path) -> None:
    facility.fill(3)
    target = tmp_path / "out.jsonl"
    facility.pacer("dead", "export", "--yes", "--all", target)
    target.write_bytes(target.read_bytes()[:-40])
    done = facility.pacer("send", target)
    assert (done.code, f"{target}:3: is no letter" in done.err) == (70, True)


def test_the_memory_of_a_look_does_not_grow_with_the_queue(facility: Facility) -> None:
    small = peak(facility)
    facility.fill(5000, size=4096)  # 20 MiB of bodies
    assert peak(facility) - small < 8 << 10


def peak(facility: Facility) -> int:
    """Give the most memory in KiB that a process needs for looking at all letters, and replaying none."""
    program = (
        "import resource, sys\n"
        "from pacer_core.cli import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        "print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "dead", "list", "-c", str(facility.file), "--limit", "5"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return int(done.stdout.rpartition("peak ")[2])


def run(facility: Facility) -> Counter[Outcome]:
    return Worker(facility.config, facility.config.consumers).run(once=True)


def ran(facility: Facility) -> list[str]:
    return (facility.site.folder / "sample_pacer" / "ran").read_text().splitlines()


def settled(facility: Facility) -> list[Contents]:
    """Take the copies, once the broker has noticed that the process is gone."""
    before = -1
    while before != (now := facility.depth("samples.dead")):
        before = now
        time.sleep(0.3)
    return facility.taken()


def reject_all(facility: Facility, queue: str) -> None:
    """Let the broker dead-letter what is in a queue."""
    with closing(connect(facility.config.broker, "test")) as connection:
        channel = connection.channel()
        channel.basic_consume(
            queue=queue, callback=lambda one: channel.basic_reject(one.delivery_tag, requeue=False)
        )
        connection.drain_events(timeout=5)
        channel.close()
