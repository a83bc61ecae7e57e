"""Dead letters are looked at: everybody sees all of them, and they stay as they are."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
from contextlib import closing
from typing import Any

import orjson
import pytest

from pacer_core import BadField
from pacer_core.model.errors import BrokerError
from pacer_core.transport import queue_browser, queue_status
from pacer_core.transport.connection import connect
from pacer_core.transport.dead_queues import look
from pacer_core.transport.letters import DeadLetter
from pacer_core.transport.outgoing import Outgoing
from tests.e2e.dead_letters.facility import Facility
from tests.support import eventually


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
                 "5, of which 4 failed"):  # fmt: skip
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
    monkeypatch.setattr(queue_browser, "SILENCE", 0.0005)  # every pause counts as a long one
    facility.fill(3000)
    assert [len(facility.ids()) for _ in range(3)] == [3000] * 3


def test_letters_that_another_program_holds_are_said_to_be_missing(
    facility: Facility, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(queue_browser, "_PATIENCE", 0.0)
    facility.fill(20)
    with closing(connect(facility.config.broker, "another")) as connection:
        channel = connection.channel()
        depth = queue_status.depth
        taken: list[Any] = []

        def snatching(connection: Any, queue: str) -> int | None:
            number = depth(connection, queue)
            if not taken:
                taken.extend(channel.basic_get("samples.dead") for _ in range(5))
            return number

        monkeypatch.setattr(queue_browser, "depth", snatching)
        assert len(facility.ids()) == 15
    assert "5 letters of samples.dead cannot be seen: somebody else holds" in caplog.text
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
