"""A replay that meets a fault: a queue that is gone or full, a crash, others at work; nothing is lost."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import amqp
import pytest

from pacer_core.transport.amqp.deliveries import Contents
from pacer_core.transport.connection import connect
from pacer_core.transport.dead_queues import BATCH, take
from pacer_core.transport.letter_replay import replayed
from pacer_core.transport.letters import DeadLetter
from pacer_core.transport.publish import Publisher
from tests.e2e.dead_letters.facility import Facility, letter
from tests.lab import LIMIT, limited
from tests.services import RabbitMQ
from tests.support import eventually


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
    assert done.code == 1
    there = facility.depth("samples")
    assert f"{5 - there} left where they are: the broker refused a message to queue 'samples'" in done.out
    assert f"{there} of 5 letters replayed" in done.out
    assert facility.depth("samples.dead") == 5 - there


def test_a_letter_that_the_broker_does_not_take_stays_alone_and_no_other_is_sent_twice(
    facility: Facility, rabbitmq: RabbitMQ
) -> None:
    for number in range(10):
        body = b"x" * (2 * LIMIT if number == 4 else number)
        facility.die(number, body=body)
    with limited(rabbitmq):
        done = facility.pacer("dead", "replay", "--yes", "--all")
        assert done.code == 1
        assert "1 left where it is: letter" in done.out
        assert "larger than configured max size" in done.out
        assert "9 of 10 letters replayed" in done.out
        again = facility.pacer("dead", "replay", "--yes", "--all")
        assert "0 of 1 letter replayed" in again.out
    assert facility.ids() == ["c-4"]
    copies = [one.headers["x-pacer-correlation-id"] for one in facility.taken()]
    assert copies == [f"c-{number}" for number in range(10) if number != 4]


def test_what_is_sent_from_files_is_counted_truly_where_one_is_not_taken(
    facility: Facility, rabbitmq: RabbitMQ, tmp_path: Path
) -> None:
    for number in range(10):
        facility.die(number, body=b"x" * (2 * LIMIT if number == 4 else number))
    assert facility.pacer("dead", "export", "--yes", "--all", tmp_path / "letters").code == 0
    files = [tmp_path / name for name in ("a.json", "b.json", "c.json")]
    for file in files:
        file.write_bytes(b"x" * (2 * LIMIT if file.name == "b.json" else 5))
    with limited(rabbitmq):
        done = facility.pacer("send", "--consumer", "samples", tmp_path / "letters", *files)
    assert done.code == 69
    assert "9 letters confirmed" in done.out
    assert "1 letter not sent: the broker refused a message of 100,000 bytes" in done.err
    assert ("a.json: confirmed" in done.out, "c.json: confirmed" in done.out) == (True, True)
    assert "b.json: not sent: the broker refused a message of 100,000 bytes" in done.err
    assert len(facility.taken()) == 11


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


def settled(facility: Facility) -> list[Contents]:
    """Take the copies, once the broker has noticed that the process is gone."""
    before = -1
    while before != (now := facility.depth("samples.dead")):
        before = now
        time.sleep(0.3)
    return facility.taken()
