"""One message through its tasks: what each may do, and what becomes of the message."""

import asyncio
import logging
import re
import signal
import traceback
from typing import Any

import pytest
from attrs import evolve, frozen

from pacer_core import (
    BadField,
    ConsumerType,
    Context,
    Delivery,
    IntegrationType,
    NotYet,
    Outcome,
    PacerError,
    Reject,
    Retry,
    task,
)
from pacer_core.model.consumers import Task
from pacer_core.pipeline.task_order import in_order
from pacer_core.testing import deliver


@frozen
class Parcel:
    number: str


class Diary:
    """Tasks that write down when they run, and then do what they were told."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def task(self, name: str, does: Any = None, after: tuple[str, ...] = ()) -> Task:
        def run(parcel: Parcel, ctx: Context) -> Any:
            self.ran.append(name)
            if isinstance(does, BaseException):
                raise does
            return does(ctx) if callable(does) else does

        return task(name=name, after=after)(run)

    def deliver(self, *tasks: Task, after: Delivery | None = None, **keywords: Any) -> Delivery:
        self.ran.clear()
        consumer = ConsumerType(name="parcels", message=Parcel, tasks=tasks, **keywords)
        return deliver(consumer, '{"number": "7"}', after=after)


@pytest.fixture
def diary() -> Diary:
    return Diary()


def outcome(delivery: Delivery) -> tuple[Outcome, tuple[str, ...], tuple[str, ...], list[str]]:
    return delivery.outcome, delivery.done, delivery.pending, list(delivery.rejected)


def test_a_message_whose_tasks_are_all_done_is_acked(diary: Diary) -> None:
    delivery = diary.deliver(diary.task("a"), diary.task("b"))
    assert outcome(delivery) == (Outcome.ACKED, ("a", "b"), (), [])
    assert delivery.error is None
    assert set(delivery.timings) == {"a", "b"}
    assert diary.ran == ["a", "b"]


def test_tasks_run_in_the_order_of_after_and_else_of_registration(diary: Diary) -> None:
    make = diary.task
    diary.deliver(make("d", after=("c",)), make("b", after=("a",)), make("c"), make("a"), make("e"))
    assert diary.ran == ["c", "a", "e", "d", "b"]


def test_a_failing_task_skips_only_what_comes_after_it(diary: Diary) -> None:
    make = diary.task
    delivery = diary.deliver(
        make("a", Retry("away")),
        make("b", after=("a",)),
        make("c", after=("b",)),
        make("d"),
        make("e", after=("d",)),
    )
    assert diary.ran == ["a", "d", "e"]
    assert outcome(delivery) == (Outcome.RETRIED, ("d", "e"), ("a", "b", "c"), [])


def test_a_copy_runs_only_what_is_pending(diary: Diary) -> None:
    make = diary.task
    first = diary.deliver(make("a"), make("b", Retry("away")), make("c", after=("b",)))
    assert outcome(first) == (Outcome.RETRIED, ("a",), ("b", "c"), [])
    second = diary.deliver(make("a"), make("b"), make("c", after=("b",)), after=first)
    assert diary.ran == ["b", "c"]
    assert outcome(second) == (Outcome.ACKED, ("a", "b", "c"), (), [])


def test_a_rejected_task_does_not_run_again_and_makes_the_message_dead_at_the_end(diary: Diary) -> None:
    make = diary.task
    first = diary.deliver(make("a", Reject("bad")), make("b", Retry("away")), make("c", after=("a",)))
    assert outcome(first) == (Outcome.RETRIED, (), ("b", "c"), ["a"])
    second = diary.deliver(make("a"), make("b"), make("c", after=("a",)), after=first)
    assert diary.ran == ["b"]
    assert outcome(second) == (Outcome.DEAD, ("b",), ("c",), ["a"])
    assert second.rejected == {"a": "bad"}


def test_any_retry_outweighs_any_reject(diary: Diary) -> None:
    delivery = diary.deliver(diary.task("a", Reject("bad")), diary.task("b", NotYet("later")))
    assert delivery.outcome is Outcome.RETRIED
    assert delivery.error == "a: bad; b: later"


SIGNALS = [
    (Retry("failed"), "retry"),
    (Retry("away", counted=False), "away"),
    (NotYet("later"), "not-yet"),
    (Reject("bad"), "reject"),
]


@pytest.mark.parametrize(("signal", "kind"), SIGNALS, ids=[kind for _, kind in SIGNALS])
def test_a_signal_may_be_returned_as_well_as_raised(diary: Diary, signal: Any, kind: str) -> None:
    raised = diary.deliver(diary.task("a", signal))
    returned = diary.deliver(diary.task("a", lambda ctx: signal))
    assert raised.failures == returned.failures
    assert [(one.task, one.kind, one.reason, one.trace) for one in raised.failures] == [
        ("a", kind, str(signal), None)
    ]


def test_the_longest_wished_delay_counts(diary: Diary) -> None:
    make = diary.task
    delivery = diary.deliver(
        make("a", Retry("a", after=5)), make("b", Retry("b", after=70.5)), make("c", Retry("c"))
    )
    assert delivery.delay == 70.5
    assert diary.deliver(make("a", Retry("a"))).delay is None


@pytest.mark.parametrize("after", [-1, float("nan"), "soon", True.__class__])
def test_a_delay_that_is_none_is_a_mistake_of_the_task(diary: Diary, after: Any) -> None:
    delivery = diary.deliver(diary.task("a", lambda ctx: Retry("a", after=after)))
    assert [one.kind for one in delivery.failures] == ["error"]
    assert "after= is a number of seconds" in delivery.failures[0].reason


class SilentError(Exception):
    """An exception that cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no")


UNEXPECTED = [ValueError("so\nso"), KeyError("x"), SilentError(), SystemExit(3), asyncio.CancelledError()]


@pytest.mark.parametrize("error", UNEXPECTED, ids=[type(one).__name__ for one in UNEXPECTED])
def test_any_other_exception_is_a_retry_with_its_trace(
    diary: Diary, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = diary.deliver(diary.task("a", error), diary.task("b"))
    assert outcome(delivery) == (Outcome.RETRIED, ("b",), ("a",), [])
    (failure,) = delivery.failures
    assert failure.kind == "error"
    assert failure.reason.startswith(f"{type(error).__name__} at ")
    assert "\n" not in failure.reason
    assert "test_pipeline.py" in str(failure.trace)
    assert failure.reason in caplog.text


@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
def test_what_an_unexpected_exception_quotes_is_told_at_debug_alone(
    diary: Diary, caplog: pytest.LogCaptureFixture, level: int
) -> None:
    def read(ctx: Context) -> None:
        try:
            try:
                raise PacerError("for operators")
            except PacerError:
                int("Ada Lovelace")
        except ValueError as error:
            raise KeyError("Ada Lovelace") from error

    with caplog.at_level(level, "pacer"):
        delivery = diary.deliver(diary.task("a", read))
    (failure,) = delivery.failures
    assert re.fullmatch(r"KeyError at [\w.]*test_pipeline:\d+", failure.reason)
    assert 'int("Ada' in str(failure.trace), "the lines of the program are there"
    assert "PacerError: for operators" in str(failure.trace)
    assert "'Ada Lovelace'" not in str(failure.trace)
    shown = [record for record in caplog.records if "'Ada Lovelace'" in _told(record)]
    assert [record.levelname for record in shown] == (["DEBUG"] if level == logging.DEBUG else [])


def _told(record: logging.LogRecord) -> str:
    return record.getMessage() + "".join(traceback.format_exception(*record.exc_info or (None, None, None)))


def test_an_interrupt_from_the_keyboard_is_no_business_of_tasks(diary: Diary) -> None:
    with pytest.raises(KeyboardInterrupt):
        diary.deliver(diary.task("a", KeyboardInterrupt()))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), GeneratorExit(), SystemExit(0)])
def test_what_a_task_raises_is_its_failure_where_a_worker_minds_the_keyboard(
    diary: Diary, error: BaseException
) -> None:
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        delivery = diary.deliver(diary.task("a", error), diary.task("b"))
    finally:
        signal.signal(signal.SIGINT, before)
    assert outcome(delivery) == (Outcome.RETRIED, ("b",), ("a",), [])


@pytest.mark.parametrize("nonsense", [0, False, "done", {}, Retry, NotYet])
def test_a_task_that_returns_nonsense_has_failed(diary: Diary, nonsense: Any) -> None:
    delivery = diary.deliver(diary.task("a", lambda ctx: nonsense))
    assert [one.kind for one in delivery.failures] == ["error"]
    assert delivery.failures[0].reason.startswith("TaskError: task a returned ")


def test_a_very_long_reason_is_cut_and_a_very_long_trace_too(diary: Diary) -> None:
    delivery = diary.deliver(diary.task("a", PacerError("x" * 10**6)))
    assert len(delivery.failures[0].reason) < 3000
    assert len(str(delivery.failures[0].trace)) < 5000
    assert str(delivery.failures[0].trace).startswith("...")


@pytest.mark.parametrize("reason", ["a\nb", "a\x1b[2Jb", "a\x00b", "a\udc80b", "a\u2028b", "a\r\n\r\nb"])
def test_a_reason_is_one_line_that_controls_no_terminal(diary: Diary, reason: str) -> None:
    for one in (Reject(reason, fields=[BadField(reason, reason)]), Retry(reason), NotYet(reason)):
        (failure,) = diary.deliver(diary.task("a", one)).failures
        for text in (failure.reason, *(str(bad) for bad in failure.fields)):
            assert text.isprintable()
            assert text.isascii() or "\N{REPLACEMENT CHARACTER}" in text


def test_whatever_is_given_as_a_reason_is_one(diary: Diary) -> None:
    delivery = diary.deliver(diary.task("a", Reject(ValueError("no stamp"))), diary.task("b", Retry(None)))
    assert delivery.error == "a: no stamp; b: None"
    odd: Any = ["number", BadField("number", "is odd")]
    fields = diary.deliver(diary.task("a", Reject("odd", fields=odd))).bad_fields
    assert [str(bad) for bad in fields] == ["$: number", "number: is odd"]


def test_what_comes_after_a_task_that_is_switched_off_waits_for_what_that_one_would_have_waited_for(
    diary: Diary,
) -> None:
    away: IntegrationType[Any] = IntegrationType("doi", dict, open=lambda options: options)
    tasks = (
        diary.task("a", Retry("later")),
        evolve(diary.task("b", after=("a",)), needs=(away,)),
        evolve(diary.task("c", after=("b",)), needs=(away,)),
        diary.task("d", after=("c",)),
        evolve(diary.task("e"), needs=(away,)),
        diary.task("f", after=("e", "a")),
        diary.task("g", after=("e",)),
    )
    delivery = diary.deliver(*in_order(tasks, lambda one: False))
    assert diary.ran == ["a", "g"]
    assert outcome(delivery) == (Outcome.RETRIED, ("g",), ("a", "f", "d"), [])


def test_describe_gives_the_identifiers(diary: Diary) -> None:
    delivery = diary.deliver(diary.task("a"), describe=lambda parcel: {"parcel": parcel.number})
    assert delivery.description == {"parcel": "7"}


@pytest.mark.parametrize("mistake", [lambda parcel: 1 / 0, lambda parcel: None, lambda parcel: 7])
def test_a_describe_that_fails_costs_nothing_but_a_log_line(
    diary: Diary, mistake: Any, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = diary.deliver(diary.task("a"), describe=mistake)
    assert (delivery.outcome, delivery.description) == (Outcome.ACKED, {})
    assert "describe() of consumer type parcels failed" in caplog.text


def test_a_consumer_type_without_a_message_class_takes_what_its_parser_gives(diary: Diary) -> None:
    consumer = ConsumerType(name="raw", message=None, tasks=[diary.task("a")])
    assert deliver(consumer, b"\x00").outcome is Outcome.ACKED
    assert evolve(consumer, name="other").tasks == consumer.tasks
