"""What tasks leave for later: facts for other tasks and retries, follow-ups for other consumers."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from attrs import frozen

from pacer_core import ConsumerType, Context, Delivery, NotYet, Outcome, PacerError, Reject, Retry, task
from pacer_core.testing import deliver


@frozen
class Parcel:
    number: str


@frozen
class Letter:
    to: str
    sent: datetime
    copies: tuple[str, ...] = ()


Step = Callable[[Context], Any]


def through(*steps: Step, after: Delivery | None = None, twice: bool = False) -> Delivery:
    """Send a parcel through tasks, each with a name of its own."""

    def make(number: int, step: Step) -> Any:
        return task(name=f"step{number}")(lambda parcel, ctx: step(ctx))

    tasks = [make(number, step) for number, step in enumerate(steps)]
    consumer = ConsumerType(name="parcels", message=Parcel, tasks=tasks)
    return deliver(consumer, '{"number": "7"}', after=after, twice=twice)


def note(**facts: Any) -> Step:
    return lambda ctx: ctx.facts.update(facts)


def fail(signal: Exception, **facts: Any) -> Step:
    def step(ctx: Context) -> None:
        ctx.facts.update(facts)
        raise signal

    return step


def test_later_tasks_see_the_facts_of_earlier_ones() -> None:
    seen: list[Any] = []
    delivery = through(note(doi="10.1/x"), lambda ctx: seen.append(dict(ctx.facts)))
    assert seen == [{"doi": "10.1/x"}]
    assert delivery.facts == {"doi": "10.1/x"}


@pytest.mark.parametrize("signal", [Retry("away"), NotYet("later"), Reject("bad"), ValueError("no")])
def test_facts_of_a_task_that_fails_are_kept(signal: Exception) -> None:
    assert through(fail(signal, doi="10.1/x")).facts == {"doi": "10.1/x"}


def test_a_retry_sees_the_facts_of_the_copy_before() -> None:
    first = through(note(doi="10.1/x"), fail(Retry("away")))
    second = through(note(), lambda ctx: ctx.facts.update(second=ctx.facts["doi"]), after=first)
    assert second.facts == {"doi": "10.1/x", "second": "10.1/x"}


def test_facts_may_be_assigned_as_a_whole() -> None:
    def replace(ctx: Context) -> None:
        ctx.facts = {"a": 1}

    def extend(ctx: Context) -> None:
        ctx.facts |= {"b": 2}

    def itself(ctx: Context) -> None:
        facts = ctx.facts
        ctx.facts = facts

    assert through(note(old=1), replace, extend, itself).facts == {"a": 1, "b": 2}


BAD_FACTS: dict[str, Any] = {
    "too long": {"a": "x" * 9000},
    "no JSON": {"a": {1, 2}},
    "an object": {"a": object()},
    "half a surrogate": {"a": "\udc80"},
    "a number too large": {"a": 2**70},
    "a key that is no text": {"a": {1: 2}},
}


@pytest.mark.parametrize("facts", BAD_FACTS.values(), ids=BAD_FACTS)
def test_facts_that_cannot_travel_are_an_error_of_their_task_and_do_not_travel(facts: dict[str, Any]) -> None:
    delivery = through(note(good="kept"), note(**facts), note(more="kept as well"))
    assert delivery.outcome is Outcome.RETRIED
    assert [(one.task, one.kind) for one in delivery.failures] == [("step1", "error")]
    assert delivery.facts == {"good": "kept", "more": "kept as well"}


@pytest.mark.parametrize("facts", BAD_FACTS.values(), ids=BAD_FACTS)
@pytest.mark.parametrize("signal", [Retry("away"), Reject("bad"), ValueError("no")])
def test_facts_that_cannot_travel_do_not_hide_what_their_task_said(
    signal: Exception, facts: dict[str, Any]
) -> None:
    delivery = through(note(good="kept"), fail(signal, **facts))
    said = str(signal) if isinstance(signal, PacerError) else type(signal).__name__
    assert said in str(delivery.error)
    assert delivery.facts == {"good": "kept"}


def test_facts_just_within_the_limit_are_fine() -> None:
    room = 8 * 1024 - len(orjson.dumps({"a": ""}))
    assert through(note(a="x" * room)).outcome is Outcome.ACKED
    assert through(note(a="x" * (room + 1))).outcome is Outcome.RETRIED


def test_a_follow_up_is_json_of_its_payload() -> None:
    letter = Letter("Ada", datetime(2024, 5, 1, tzinfo=UTC), ("Bob",))

    def emit(ctx: Context) -> None:
        ctx.emit("letters", letter)
        ctx.emit("letters", {"to": "Bob"})
        ctx.emit("letters", b"as it is")

    delivery = through(emit)
    assert [one.consumer_type for one in delivery.follow_ups] == ["letters"] * 3
    assert [one.body for one in delivery.follow_ups] == [
        b'{"to":"Ada","sent":"2024-05-01T00:00:00+00:00","copies":["Bob"]}',
        b'{"to":"Bob"}',
        b"as it is",
    ]


def test_a_follow_up_that_is_no_json_is_an_error_of_its_task() -> None:
    delivery = through(lambda ctx: ctx.emit("letters", object()))
    assert [one.kind for one in delivery.failures] == ["error"]
    assert delivery.follow_ups == ()


@pytest.mark.parametrize("signal", [Retry("away"), Reject("bad")])
def test_follow_ups_are_sent_in_whichever_way_the_message_ends(signal: Exception) -> None:
    def emit(ctx: Context) -> None:
        ctx.emit("letters", {})
        raise signal

    assert len(through(emit).follow_ups) == 1


def test_tasks_can_be_run_twice_as_after_a_crash() -> None:
    runs: list[int] = []
    through(lambda ctx: runs.append(1), twice=True)
    assert len(runs) == 2
