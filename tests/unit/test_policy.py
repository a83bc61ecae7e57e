"""How long a message may go on failing, and how long it waits each time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacer_core.config.model import NotYetPolicy, Retries
from pacer_core.model.messages import Delivery, Envelope, Outcome, TaskFailure
from pacer_core.transport.retry_policy import LADDER, Verdict, decide, round_up

SEEN = datetime(2024, 5, 1, 12, tzinfo=UTC)


def failed(
    *kinds: str, attempt: int = 1, retries: int = 0, delay: float | None = None, waited: int = 0
) -> Delivery:
    return Delivery(
        Envelope(b"", queue="q", attempt=attempt, retries=retries, first_seen=SEEN, waited=waited),
        "parcels",
        Outcome.RETRIED,
        failures=tuple(TaskFailure(f"task{number}", kind, "why") for number, kind in enumerate(kinds)),
        delay=delay,
    )


def judged(delivery: Delivery, **policy: Any) -> Verdict:
    not_yet = NotYetPolicy(policy.pop("wait", timedelta(hours=24)))
    return decide(delivery, Retries(**policy), not_yet)


@given(st.floats(0, 10**7))
def test_a_delay_is_rounded_up_to_a_step_of_the_ladder(seconds: float) -> None:
    step = round_up(seconds)
    assert step in LADDER
    assert step >= seconds or step == LADDER[-1]
    assert all(shorter < seconds for shorter in LADDER if shorter < step)


def test_retries_wait_longer_and_longer_up_to_the_longest() -> None:
    steps = [judged(failed("retry", retries=count)).step for count in range(10)]
    assert steps == [1, 5, 60, 300, 300, 3600, 3600, 3600, 3600, 3600]


@given(
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.floats(0, 1e308, allow_nan=False),
    st.floats(0, 10**6),
    st.floats(0, 10**6),
)
def test_whatever_the_policy_there_is_a_verdict(
    count: int, limit: int, factor: float, delay: float, longest: float
) -> None:
    verdict = judged(
        failed("retry", retries=count),
        limit=limit,
        factor=factor,
        delay=timedelta(seconds=delay),
        max_delay=timedelta(seconds=longest),
    )
    if count >= limit:
        assert verdict.outcome is Outcome.DEAD
        gave_up = {0: "(not retried: retries.limit is 0)", 1: "(gave up after 1 retry)"}
        assert gave_up.get(limit, f"(gave up after {limit:,} retries)") in verdict.reason
    else:
        assert (verdict.outcome, verdict.retries) == (Outcome.RETRIED, count + 1)
        assert verdict.step in LADDER
        assert verdict.step <= round_up(longest)


@pytest.mark.parametrize(
    ("wish", "step"), [(0, 1), (0.5, 1), (6, 15), (3601, 21600), (10**9, 21600), (float("inf"), 21600)]
)
def test_a_wished_delay_outweighs_the_policy(wish: float, step: int) -> None:
    assert judged(failed("retry", retries=7, delay=wish)).step == step


@pytest.mark.parametrize("kind", ["retry", "error"])
def test_failures_count_against_the_limit(kind: str) -> None:
    assert judged(failed(kind, retries=2), limit=3).outcome is Outcome.RETRIED
    verdict = judged(failed(kind, retries=3), limit=3)
    assert (verdict.outcome, verdict.reason) == (Outcome.DEAD, "task0: why (gave up after 3 retries)")
    assert judged(failed(kind), limit=0).outcome is Outcome.DEAD


@pytest.mark.parametrize("kind", ["away", "behind", "not-yet"])
def test_waiting_does_not_count_against_the_limit(kind: str) -> None:
    verdict = judged(failed(kind, retries=3, attempt=500), limit=3)
    assert (verdict.outcome, verdict.retries) == (Outcome.RETRIED, 3)


def test_one_failure_among_what_waits_counts() -> None:
    assert judged(failed("not-yet", "retry", retries=3), limit=3).outcome is Outcome.DEAD


def test_what_waits_for_another_message_is_dead_when_its_time_is_over() -> None:
    for late in (0, 1, 9 * 86400):
        verdict = judged(failed("not-yet", waited=86400 + late))
        assert (verdict.outcome, verdict.reason) == (Outcome.DEAD, "task0: why (waited 1 d for it)")
    assert judged(failed("not-yet", waited=86399)).step == 1


def test_a_message_waits_for_another_one_whatever_the_clock_says() -> None:
    steps, waited = [], 0
    for attempt in range(1, 100):
        verdict = judged(failed("not-yet", attempt=attempt, waited=waited), wait=timedelta(minutes=30))
        if verdict.step is None:
            break
        steps.append(verdict.step)
        waited = verdict.waited
    assert steps == [5, 15, 60, 300, 900, 900]


def test_only_what_a_message_waits_for_another_one_counts_as_waiting() -> None:
    assert [judged(failed(kind, waited=60)).waited for kind in ("retry", "away", "behind")] == [60] * 3


def test_who_waits_for_nothing_is_dead_at_once() -> None:
    assert judged(failed("not-yet"), wait=timedelta(0)).outcome is Outcome.DEAD


@given(st.integers(1, 10**6), st.integers(1, 86399))
def test_a_wait_ends_no_later_than_a_step_after_its_time(attempt: int, gone: int) -> None:
    step = judged(failed("not-yet", attempt=attempt, waited=gone)).step
    assert step is not None
    assert step <= 900
    assert step <= round_up(86400 - gone)


@pytest.mark.parametrize(
    ("wait", "text"), [(90, "90 s"), (120, "2 min"), (7200, "2 h"), (172800, "2 d"), (0.5, "0.5 s")]
)
def test_the_time_waited_is_spelled_in_the_largest_whole_unit(wait: float, text: str) -> None:
    verdict = judged(failed("not-yet", waited=3 * 86400), wait=timedelta(seconds=wait))
    assert f"(waited {text} for it)" in verdict.reason


def test_what_does_not_want_to_be_retried_stays_what_it_is() -> None:
    for outcome in (Outcome.ACKED, Outcome.DEAD):
        delivery = Delivery(Envelope(b"", queue="q", retries=2), "parcels", outcome)
        assert judged(delivery).outcome is outcome


def test_a_message_that_is_dead_for_what_an_earlier_copy_said_gives_that_reason() -> None:
    delivery = Delivery(Envelope(b"", queue="q"), "parcels", Outcome.DEAD, rejected={"weigh": "too heavy"})
    assert judged(delivery).reason == "weigh: too heavy"
