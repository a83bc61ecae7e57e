"""One writer per key: order, exclusiveness, and an end."""

import threading
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacer_core.work.lanes import Lanes
from tests.support import eventually


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c", None]), max_size=60), st.integers(1, 8))
def test_jobs_of_one_key_run_in_order_and_never_two_at_once(keys: list[str | None], threads: int) -> None:
    ran: defaultdict[str | None, list[int]] = defaultdict(list)
    inside: set[str] = set()
    overlaps: list[str] = []
    lock = threading.Lock()

    def job(key: str | None, number: int) -> None:
        with lock:
            if key in inside:
                overlaps.append(str(key))
            if key is not None:
                inside.add(key)
        with lock:
            ran[key].append(number)
            inside.discard(str(key))

    lanes = Lanes(threads)
    for number, key in enumerate(keys):
        assert lanes.submit(key, lambda key=key, number=number: job(key, number))  # type: ignore[misc]  # mypy sees no default
    eventually(lambda: lanes.in_hand == 0)
    assert lanes.close(10)
    assert overlaps == []
    for key in ("a", "b", "c"):
        assert ran[key] == [number for number, one in enumerate(keys) if one == key]
    assert sorted(ran[None]) == [number for number, one in enumerate(keys) if one is None]


def test_other_keys_and_jobs_without_a_key_do_not_wait_for_a_slow_one() -> None:
    lanes, gate, ran = Lanes(2), threading.Event(), []

    def slow() -> None:
        gate.wait()

    lanes.submit("slow", slow)
    lanes.submit("slow", lambda: ran.append("slow"))
    lanes.submit("quick", lambda: ran.append("quick"))
    lanes.submit(None, lambda: ran.append("none"))
    eventually(lambda: len(ran) == 2)
    assert sorted(ran) == ["none", "quick"]
    gate.set()
    eventually(lambda: "slow" in ran)
    assert lanes.close(10)


@pytest.mark.parametrize("keys", [[None] * 8, list("abcdefgh")])
def test_as_many_jobs_run_at_once_as_there_are_threads(keys: list[str | None]) -> None:
    lanes, together, passed = Lanes(8), threading.Barrier(8, timeout=30), []

    def meet() -> None:
        together.wait()
        passed.append(1)

    for _ in range(20):  # threads that have slept are woken again
        for key in keys:
            lanes.submit(key, meet)
        eventually(lambda: lanes.in_hand == 0)
    assert len(passed) == 160
    assert lanes.close(10)


def test_closing_drops_what_has_not_begun_and_waits_for_what_has() -> None:
    lanes, gate, begun, ran = Lanes(1), threading.Event(), threading.Event(), []

    def slow() -> None:
        begun.set()
        gate.wait()
        ran.append("slow")

    lanes.submit("a", slow)
    begun.wait()
    for key in ("a", "b", None):
        lanes.submit(key, lambda: ran.append("never"))
    threading.Timer(0.05, gate.set).start()
    assert lanes.close(10)
    assert ran == ["slow"]
    assert lanes.in_hand == 0


def test_closing_says_when_something_takes_longer() -> None:
    lanes, gate, begun = Lanes(1), threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        gate.wait()

    lanes.submit(None, slow)
    begun.wait()
    assert not lanes.close(0)
    gate.set()
    eventually(lambda: lanes.in_hand == 0)


def test_closed_lanes_take_nothing_in() -> None:
    lanes = Lanes(1)
    assert lanes.close(10)
    assert not lanes.submit("a", lambda: None)


def test_every_thread_is_told_that_it_ends() -> None:
    ended: list[str] = []
    lanes = Lanes(3, on_exit=lambda: ended.append(threading.current_thread().name), name="test")
    assert lanes.close(10)
    assert sorted(ended) == ["test-0", "test-1", "test-2"]


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt()])
def test_a_job_that_fails_ends_neither_its_thread_nor_its_lane(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    lanes, ran = Lanes(1), []

    def fail() -> None:
        raise error

    lanes.submit("a", fail)
    lanes.submit("a", lambda: ran.append("a"))
    lanes.submit("b", lambda: ran.append("b"))
    eventually(lambda: len(ran) == 2)
    assert lanes.close(10)
    assert "a job failed outside its task" in caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_finds_no_memory_to_wait_with_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[str] = []

    class Condition(threading.Condition):
        def wait(self, timeout: float | None = None) -> bool:
            name = threading.current_thread().name
            if name.startswith("lane-"):
                waits.append(name)
                if len(waits) == 2:
                    raise MemoryError
            return super().wait(timeout)

    monkeypatch.setattr(threading, "Condition", Condition)
    lanes = Lanes(2)
    monkeypatch.undo()
    eventually(lambda: len(waits) == 2)
    gate, ran = threading.Event(), []

    def slow() -> None:
        gate.wait()

    lanes.submit(None, slow)
    lanes.submit(None, lambda: ran.append(2))  # nobody is there for it
    gate.set()
    eventually(lambda: ran == [2] and lanes.in_hand == 0)
    lanes.submit(None, lambda: ran.append(3))
    eventually(lambda: ran == [2, 3], 10)
    assert lanes.close(10)
