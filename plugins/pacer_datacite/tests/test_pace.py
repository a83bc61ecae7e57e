"""No more requests than DataCite allows."""

from __future__ import annotations

from pacer_datacite.pace import Pace


class Time:
    """A clock that only sleep moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def pace(requests: int) -> tuple[Pace, Time]:
    time = Time()
    return Pace(requests, time.clock, time.sleep), time


def test_what_is_allowed_in_five_minutes_may_be_sent_at_once() -> None:
    ours, time = pace(500)
    assert [ours.take() for _ in range(500)] == [0.0] * 500
    assert time.now == 1000.0


def test_one_more_waits_a_moment() -> None:
    ours, time = pace(500)
    for _ in range(501):
        ours.take()
    assert time.now > 1000.0


def test_in_any_five_minutes_after_the_first_no_more_than_allowed_is_sent() -> None:
    ours, time = pace(60)
    for _ in range(60):
        ours.take()
    start, sent = time.now, 0
    while time.now <= start + 300:
        wait = ours.take()
        if wait:
            time.sleep(wait)
        else:
            sent += 1
    assert 59 <= sent <= 61


def test_a_long_wait_is_for_the_broker() -> None:
    ours, time = pace(10)  # one in half a minute
    for _ in range(10):
        assert not ours.take()
    assert 29 < ours.take() <= 30
    assert time.now == 1000.0


def test_after_a_refusal_nothing_is_sent_for_as_long_as_was_asked() -> None:
    ours, time = pace(500)
    ours.rest(60)
    assert ours.take() == 60
    time.sleep(60)
    assert ours.take() == 0.0
