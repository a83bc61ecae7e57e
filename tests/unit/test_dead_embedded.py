"""Dead queues of the embedded broker, through the same door as RabbitMQ's."""

import threading
from contextlib import closing
from pathlib import Path

import pytest

from pacer_core.config.model import Broker
from pacer_core.model.errors import BrokerError
from pacer_core.transport import queue_browser
from pacer_core.transport.connection import connect
from pacer_core.transport.dead_queues import look, take
from pacer_core.transport.letter_choice import Wanted
from pacer_core.transport.letter_replay import replayed
from pacer_core.transport.letters import DeadLetter
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.queue_status import depth
from tests.support import broker as a_broker


@pytest.fixture(params=["memory", "sqlite"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Broker:
    """An embedded broker: inside the process, or in a file."""
    if request.param == "memory":
        return a_broker("memory")
    return a_broker("sqlite", path=str(tmp_path / "broker.db"))


def fill(broker: Broker, name: str, count: int) -> None:
    with closing(connect(broker, "test")) as connection:
        for queue in (name, f"{name}.dead"):
            connection.channel().queue_declare(queue=queue, durable=True, auto_delete=False)
    with closing(Publisher(broker)) as publisher:
        publisher.publish(
            [
                Outgoing("", f"{name}.dead", b"%d" % number, properties={"correlation_id": f"c-{number}"})
                for number in range(count)
            ]
        )


def test_letters_are_there_in_the_same_order_after_thirty_looks(broker: Broker) -> None:
    fill(broker, "memory-looks", 20)
    with closing(connect(broker, "test")) as connection:
        for _ in range(30):
            bodies = [letter.envelope.body for letter in look(connection, "memory-looks.dead")]
            assert bodies == [b"%d" % number for number in range(20)]


def test_a_letter_is_taken_once_its_copy_is_there(broker: Broker) -> None:
    fill(broker, "memory-takes", 20)
    copied: list[DeadLetter] = []
    with closing(connect(broker, "test")) as connection, closing(Publisher(broker)) as publisher:

        def copy(letters: object) -> None:
            assert isinstance(letters, list)
            publisher.publish([replayed(letter.envelope) for letter in letters])
            copied.extend(letters)

        taken = take(connection, "memory-takes.dead", Wanted(ids=("c-3", "c-5")), copy)
        assert (taken.looked, taken.taken) == (20, 2)
        assert depth(connection, "memory-takes.dead") == 18
        assert depth(connection, "memory-takes") == 2
        left = [letter.envelope.body for letter in look(connection, "memory-takes.dead")]
    assert [letter.envelope.body for letter in copied] == [b"3", b"5"]
    assert left == [b"%d" % number for number in range(20) if number not in (3, 5)]


def test_a_broker_that_goes_when_all_was_seen_makes_nothing_of_that_untrue(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(broker, "memory-goes", 3)

    def lost(*_: object) -> int:
        raise BrokerError("lost the broker")

    with closing(connect(broker, "test")) as connection:
        letters = look(connection, "memory-goes.dead")
        bodies = [next(letters).envelope.body for _ in range(3)]
        monkeypatch.setattr(queue_browser, "depth", lost)
        assert list(letters) == []
    assert bodies == [b"0", b"1", b"2"]


def test_a_queue_that_is_not_there_has_no_letters(broker: Broker) -> None:
    with closing(connect(broker, "test")) as connection:
        assert list(look(connection, "nobody.dead")) == []


def test_several_people_who_look_at_once_all_see_everything(broker: Broker) -> None:
    fill(broker, "crowd", 300)
    counts: list[int] = []

    def person() -> None:
        with closing(connect(broker, "test")) as connection:
            counts.append(len(list(look(connection, "crowd.dead"))))

    people = [threading.Thread(target=person) for _ in range(4)]
    for one in people:
        one.start()
    for one in people:
        one.join()
    assert counts == [300] * 4
