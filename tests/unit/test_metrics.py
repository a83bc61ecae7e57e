"""What a worker counts is there when the worker is not."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from pacer_core import Delivery, Envelope, Outcome
from pacer_core.model.messages import TaskFailure
from pacer_core.observe.board import Board, look
from pacer_core.observe.health import Roster, workers
from pacer_core.observe.metrics import BUCKETS, Shape, State
from pacer_core.observe.progress import Minutes
from pacer_core.work.lanes import Lanes

SHAPE = Shape({"datasets": ("store", "index")}, ("icat",), ("investigation", "user"))


def settled(outcome: Outcome = Outcome.ACKED, **timings: float) -> Delivery:
    return Delivery(Envelope(b"", "jobs"), "datasets", outcome, timings=timings)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "worker-0.board"


def test_another_process_reads_what_is_counted(file: Path) -> None:
    board = Board(SHAPE, file)
    board.settled(settled(store=0.003, index=1000.0))
    board.settled(settled(store=0.001))
    failures = (TaskFailure("store", "away", ""), TaskFailure("no such task", "retry", ""))
    board.settled(Delivery(Envelope(b"", "jobs"), "datasets", Outcome.RETRIED, failures=failures))
    board.confirmed(0.2)
    board.state(State.READING)
    seen = look(file)
    assert seen is not None
    assert seen.shape == SHAPE
    assert seen.state is State.READING
    assert seen.numbers["messages", "datasets", "acked"] == 2
    assert seen.numbers["messages", "datasets", "retried"] == 1
    assert seen.numbers["failures", "datasets", "store", "away"] == 1
    counts, total = seen.histogram("task", "datasets", "store")
    assert (counts[0], counts[1], sum(counts)) == (1, 1, 2)  # a bound belongs to its bucket
    assert total == pytest.approx(0.004)
    assert seen.histogram("task", "datasets", "index")[0][len(BUCKETS)] == 1
    assert sum(seen.histogram("confirm")[0]) == 1


def test_what_tasks_count_is_added_up_by_consumer(file: Path) -> None:
    board = Board(Shape({"datasets": ("store",)}, (), (), (), {"datasets": ("left_out",)}), file)
    for number in (2, 3):
        counts = {"left_out": number, "never announced": 1}
        board.settled(Delivery(Envelope(b"", "jobs"), "datasets", Outcome.ACKED, counts=counts))
    seen = look(file)
    assert seen is not None
    assert seen.numbers["counted", "datasets", "left_out"] == 5
    assert [name for name in seen.numbers if name[0] == "counted"] == [("counted", "datasets", "left_out")]


def test_a_successor_counts_on_and_says_anew_how_things_stand(file: Path) -> None:
    first = Board(SHAPE, file)
    first.settled(settled())
    first.state(State.READING)
    first.gauges({"q": 3}, {"user:ada": 2}, {"icat": True}, {"icat": True})
    second = Board(SHAPE, file)
    second.settled(settled())
    seen = look(file)
    assert seen is not None
    assert seen.numbers["messages", "datasets", "acked"] == 2
    assert seen.state is State.STARTING
    assert (
        seen.numbers["in_hand",] == seen.numbers["open", "icat"] == seen.numbers["found_nothing", "icat"] == 0
    )
    assert seen.hottest == {"investigation": "", "user": ""}


@pytest.mark.parametrize("before", [b"", b"nothing of ours", b"12              " + b"{" * 500])
def test_a_successor_that_counts_other_things_begins_anew(file: Path, before: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(before)
    Board(Shape({"links": ("store",)}, (), ()), file).settled(
        Delivery(Envelope(b"", "jobs"), "links", Outcome.DEAD)
    )
    Board(SHAPE, file).settled(settled())
    seen = look(file)
    assert seen is not None
    assert seen.numbers["messages", "datasets", "acked"] == 1
    assert ("messages", "links", "dead") not in seen.numbers


def test_nothing_is_seen_of_a_worker_that_has_not_begun(file: Path) -> None:
    assert look(file) is None


def test_the_hottest_key_is_told_for_each_key_space(file: Path) -> None:
    board = Board(SHAPE, file)
    long = "ä" * 300
    board.gauges({"q": 9}, {"investigation:HC-1": 2, "investigation:HC-2": 5, f"user:{long}": 1}, {}, {})
    seen = look(file)
    assert seen is not None
    assert seen.hottest["investigation"] == "HC-2"
    assert seen.numbers["waiting", "investigation"] == 5
    assert long.startswith(seen.hottest["user"])
    assert len(seen.hottest["user"]) > 100
    board.gauges({}, {}, {}, {})
    seen = look(file)
    assert seen is not None
    assert seen.hottest == {"investigation": "", "user": ""}


def test_threads_count_together(file: Path) -> None:
    board = Board(SHAPE, file)

    def count() -> None:
        for _ in range(5000):
            board.settled(settled(store=0.5))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = board.look()
    assert seen.numbers["messages", "datasets", "acked"] == 20_000
    assert seen.histogram("task", "datasets", "store")[1] == 10_000


def test_lanes_tell_what_waits_behind_what_runs() -> None:
    lanes, gate = Lanes(2), threading.Event()
    for key in ("a", "a", "a", "b", None):
        lanes.submit(key, lambda: [gate.wait(30)].clear())
    assert lanes.waiting == {"a": 2}
    gate.set()
    assert lanes.close(30)
    assert lanes.waiting == {}


def test_a_supervisor_that_gives_no_sign_of_life_is_not_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    roster = Roster()
    assert roster.alive  # one process alone has no loop to watch
    roster.beat()
    assert roster.alive
    monkeypatch.setattr(workers, "BEAT", 0.0)
    assert not roster.alive
    roster.stopping = True
    assert roster.alive


def test_a_worker_that_is_down_says_nothing_about_the_present() -> None:
    board = Board(SHAPE)
    workers = Roster()
    workers.add("datasets-1", board.look)
    workers.started("datasets-1", 7)
    board.gauges({"q": 3}, {}, {"icat": True}, {})
    board.state(State.PAUSED)
    (seen,) = workers.workers()
    assert (seen.state, seen.ready, seen.now("in_hand"), seen.now("open", "icat")) == ("paused", True, 3, 1)
    workers.ended("datasets-1", crashed=True)
    (seen,) = workers.workers()
    assert (seen.state, seen.ready, seen.now("in_hand"), seen.now("open", "icat")) == ("down", False, 0, 0)
    assert (seen.crashes, seen.starts) == (1, 1)


def test_a_line_says_what_was_done_in_a_minute_in_which_something_was() -> None:
    now = [0.0]
    board = Board(SHAPE)
    minutes = Minutes(board.look, lambda: now[0])
    for outcome in (Outcome.ACKED, Outcome.ACKED, Outcome.DEAD):
        board.settled(settled(outcome))
    now[0] = 59.0
    assert minutes.line() is None
    now[0] = 61.0
    assert minutes.line() == "datasets: 2 done, 1 dead in 61 s"
    now[0] = 200.0
    assert minutes.line() is None
    board.settled(settled(Outcome.RETRIED))
    now[0] = 260.0
    assert minutes.line() == "datasets: 1 to be retried in 60 s"


def test_a_worker_says_what_keeps_it_from_its_work_until_it_is_over(file: Path) -> None:
    board = Board(SHAPE, file)
    board.state(State.REFUSED, "queue 'é' does not exist: " + "é" * 200)
    seen = look(file)
    assert seen is not None
    assert seen.trouble.startswith("queue 'é' does not exist")
    board.state(State.READING)
    seen = look(file)
    assert seen is not None
    assert seen.trouble == ""


def test_a_key_controls_no_terminal_of_those_who_look_and_breaks_no_answer(file: Path) -> None:
    board = Board(SHAPE, file)
    board.gauges({"q": 9}, {"investigation:a\x1b[2J\n\udcff\u202e": 2}, {}, {})
    seen = look(file)
    assert seen is not None
    assert seen.hottest["investigation"] == "a\\x1b[2J\\n\\udcff\\u202e"
