"""Topics of a real Kafka, with a broker of PACER's that a test stands for."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streaming_data_types.finished_writing_wrdn import serialise_wrdn

from pacer_core import PacerError, Publication, RefusedError, Stopping
from pacer_core.testing import FakeService
from pacer_kafka import KAFKA, KafkaOptions, Topic
from plugins.pacer_kafka.tests.topics import Topics
from tests.services import Kafka
from tests.services.base import free_port
from tests.support import eventually

BUSY = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 1000}
Make = Callable[..., FakeService]


@pytest.fixture
def topics(kafka: Kafka) -> Topics:
    """A topic of this test's own, with one partition."""
    return Topics(kafka)


@pytest.fixture
def make(topics: Topics, tmp_path: Path) -> Make:
    """Give the service on that topic."""

    def make(
        broker: Callable[[Publication], object] = lambda _: None,
        waiting: Callable[[str], int | None] = lambda _: 0,
        **options: Any,
    ) -> FakeService:
        return FakeService(
            KAFKA, topics.options(**options), folder=tmp_path / "state", broker=broker, waiting=waiting
        )

    return make


def written(number: int) -> bytes:
    """Say that a file was written."""
    return bytes(serialise_wrdn("writer", f"job-{number}", False, f"/data/{number}.nxs"))


def other_schema() -> bytes:
    """Give a FlatBuffer that nobody reads."""
    return written(1)[:4] + b"ev44" + written(1)[8:]


def text(number: int) -> bytes:
    """Give a JSON message."""
    return b'{"number": %d}' % number


def test_what_comes_in_is_published_in_its_order_and_committed(topics: Topics, make: Make) -> None:
    topics.send(*map(written, range(1200)))
    service = make()
    service.run(lambda: len(service.published) == 1200)
    assert [one.message_id for one in service.published] == [f"{topics.topic}/0/{n}" for n in range(1200)]
    assert [json.loads(one.body)["job_id"] for one in service.published] == [f"job-{n}" for n in range(1200)]
    assert service.counted == {"taken": 1200}
    assert service.is_ready
    assert topics.committed() == 1200


def test_the_next_run_begins_where_the_last_one_ended(topics: Topics, make: Make) -> None:
    topics.send(*map(text, range(10)))
    first = make()
    first.run(lambda: len(first.published) == 10)
    topics.send(text(10))
    second = make()
    second.run(lambda: second.published)
    assert [one.body for one in second.published] == [text(10)]


def test_bad_messages_hold_nobody_up(topics: Topics, make: Make) -> None:
    failed = serialise_wrdn("writer", "job", True, "/data/1.nxs")
    topics.send(
        None, b"", b"garbage", written(1)[:40], failed, written(2)[:4] + b"ev44" + written(2)[8:], text(1)
    )
    service = make()
    service.run(lambda: sum(service.counted.values()) == 7)
    assert service.counted == {
        "null_values": 1,
        "unreadable": 3,
        "writer_errors": 1,
        "ignored": 1,
        "taken": 1,
    }
    assert [bool(one.dead) for one in service.published] == [True] * 5 + [False]
    assert topics.committed() == 7


def test_what_is_only_counted_is_committed_as_well(topics: Topics, make: Make) -> None:
    topics.send(None, b"garbage", other_schema())
    service = make(null_values="count", unreadable="count")
    service.run(lambda: sum(service.counted.values()) == 3)
    assert service.published == []
    assert topics.committed() == 3


def test_nothing_is_committed_that_the_broker_has_not_confirmed(topics: Topics, make: Make) -> None:
    arrived, going = threading.Event(), threading.Event()

    def broker(publication: Publication) -> None:
        if publication.body == text(3):
            arrived.set()
            if not going.wait(60):
                raise Stopping("the broker is away")

    topics.send(*map(text, range(3)))
    service = make(broker)
    thread = threading.Thread(target=lambda: service.run(lambda: len(service.published) == 6, 90))
    thread.start()
    eventually(lambda: topics.committed() == 3)
    topics.send(*map(text, range(3, 6)))
    assert arrived.wait(30)
    assert topics.committed() == 3
    going.set()
    thread.join(90)
    assert [one.body for one in service.published] == [text(n) for n in range(6)]
    assert topics.committed() == 6


def test_a_service_that_is_told_to_stop_while_the_broker_is_away_commits_nothing_of_that(
    topics: Topics, make: Make
) -> None:
    service: FakeService

    def broker(publication: Publication) -> None:
        if publication.body == text(2):
            service.stop()
            raise Stopping("the broker is away")

    topics.send(text(0), text(1))
    service = make(broker)
    thread = threading.Thread(target=lambda: service.run(lambda: service.stopping.is_set(), 90))
    thread.start()
    eventually(lambda: topics.committed() == 2)
    topics.send(text(2), text(3))
    thread.join(90)
    assert topics.committed() == 2


def test_a_message_that_the_broker_never_takes_is_told_in_the_dead_queue_and_passed(
    topics: Topics, make: Make
) -> None:
    def broker(publication: Publication) -> None:
        if len(publication.body) > 1000:
            raise RefusedError("it is too large")

    topics.send(text(0), b'{"more": "%s"}' % (b"x" * 2000), text(2))
    service = make(broker)
    service.run(lambda: len(service.published) == 3)
    (letter,) = [one for one in service.published if one.dead]
    assert json.loads(letter.body) == {"topic": topics.topic, "partition": 0, "offset": 1}
    assert letter.dead == (
        f"{topics.topic}/0/1: the broker does not take it; it is still in Kafka: it is too large"
    )
    assert service.counted == {"taken": 3, "refused": 1}
    assert topics.committed() == 3


def test_while_the_queue_is_long_nothing_is_read_and_the_group_does_not_change(
    topics: Topics, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    length = [101]
    topics.send(text(0))
    service = make(
        waiting=lambda _: length[0],
        pause_above=100,
        librdkafka={**BUSY, "max.poll.interval.ms": 6000},
    )
    thread = threading.Thread(target=lambda: service.run(lambda: len(service.published) == 3, 120))
    thread.start()
    eventually(lambda: service.counted["pauses"] == 1, 60)
    already = len(service.published)
    topics.send(text(1), text(2))
    time.sleep(9)  # longer than a member may go without asking for messages
    assert len(service.published) == already
    length[0] = 100
    thread.join(120)
    assert [one.body for one in service.published] == [text(0), text(1), text(2)]
    assert service.counted["pauses"] == 1
    assert "holds 101 messages, more than pauseAbove (100)" in caplog.text
    assert caplog.text.count(f"reads {topics.topic}/0") == 1  # the partition was never taken away


def test_a_broker_that_is_away_for_long_changes_nothing_in_the_group(
    topics: Topics, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    back = threading.Event()
    topics.send(*map(text, range(1500)))
    service = make(lambda _: back.wait(60), librdkafka={**BUSY, "max.poll.interval.ms": 6000})
    thread = threading.Thread(target=lambda: service.run(lambda: len(service.published) == 1500, 120))
    thread.start()
    eventually(lambda: "PACER's broker does not confirm" in caplog.text, 60)
    time.sleep(9)  # longer than a member may go without asking for messages
    back.set()
    thread.join(120)
    assert [one.body for one in service.published] == [text(number) for number in range(1500)]
    assert caplog.text.count(f"reads {topics.topic}/0") == 1


def test_two_members_share_the_partitions_and_one_takes_over_from_the_other(
    kafka: Kafka, tmp_path: Path
) -> None:
    topics = Topics(kafka, partitions=2)

    def member(name: str) -> FakeService:
        return FakeService(KAFKA, topics.options(librdkafka=BUSY), folder=tmp_path / name)

    first, second = member("first"), member("second")
    done = [threading.Event(), threading.Event()]
    threads = [
        threading.Thread(target=lambda: first.run(done[0].is_set, 120)),
        threading.Thread(target=lambda: second.run(done[1].is_set, 120)),
    ]
    threads[0].start()
    eventually(lambda: first.is_ready)
    threads[1].start()
    sent = 0

    def both_have_some() -> bool:
        nonlocal sent
        topics.send(text(sent), partition=sent % 2)
        sent += 1
        return bool(first.published and second.published)

    eventually(both_have_some, 60)
    done[0].set()
    threads[0].join(60)
    topics.send(*map(text, range(sent, sent + 10)), partition=0)
    topics.send(*map(text, range(sent + 10, sent + 20)), partition=1)
    everything = {text(number) for number in range(sent + 20)}
    eventually(lambda: {one.body for one in (*first.published, *second.published)} == everything, 60)
    done[1].set()
    threads[1].join(60)
    ids = [one.message_id for one in (*first.published, *second.published)]
    assert len(ids) == len(set(ids))  # each gave its partition back with all that it had confirmed
    assert topics.committed(0) + topics.committed(1) == sent + 20


def test_a_topic_that_is_not_there_is_said_in_health(kafka: Kafka, topics: Topics, make: Make) -> None:
    service = make()
    gone = KafkaOptions((kafka.address(),), (Topic("no-such-topic-here"),), topics.group,
                        {"allow.auto.create.topics": False})  # fmt: skip
    missing = FakeService(KAFKA, gone, folder=service.folder)
    missing.run(lambda: missing.troubles, 60)
    assert "no-such-topic-here" in missing.troubles[0]
    assert "make the topic, or correct its name" in missing.troubles[0]
    assert not missing.is_ready


def test_a_kafka_that_is_not_there_is_said_in_health_with_what_to_do(tmp_path: Path) -> None:
    options = KafkaOptions((f"127.0.0.1:{free_port()}",), (Topic("t"),))
    service = FakeService(KAFKA, options, folder=tmp_path)
    service.run(lambda: service.troubles, 60)
    assert "look whether" in service.troubles[0]
    assert not service.is_ready
    assert KAFKA.check is not None
    (seen,) = KAFKA.check(options)
    assert seen.advice


def test_an_option_that_librdkafka_does_not_know_is_named(topics: Topics, make: Make) -> None:
    service = make(librdkafka={"sesion.timeout.ms": 6000})
    with pytest.raises(PacerError) as raised:
        service.run(lambda: False, 30)
    assert 'No such configuration property: "sesion.timeout.ms"' in str(raised.value)
    assert "correct them under librdkafka" in str(raised.value)


def test_the_doctor_sees_the_topics(topics: Topics, kafka: Kafka) -> None:
    assert KAFKA.check is not None
    found = [one.detail for one in KAFKA.check(topics.options())]
    assert found == [f"{kafka.address()} answers", f"topic '{topics.topic}' has 1 partition"]
