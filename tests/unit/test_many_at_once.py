"""A task that takes many messages at once: what its author is told, and what each message is left with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pacer_core import ConsumerType, Context, Envelope, NotYet, Reject, Retry, task
from pacer_core.model.consumers import MOST, Task
from pacer_core.model.errors import TaskError
from pacer_core.model.messages import Outcome
from pacer_core.pipeline.processing import Pipeline

Given = Sequence[tuple[str, Context]]


@task(many=10, counts=("seen",))
def store(given: Given) -> list[Exception | None]:
    """End each message as its text says."""
    ends: dict[str, Exception] = {
        "reject": Reject("bad"),
        "retry": Retry("busy", after=7),
        "error": ValueError(),
    }
    for text, ctx in given:
        ctx.count("seen")
        ctx.facts["at"] = len(given)
        ctx.emit("others", {"text": text})
    return [ends.get(text) for text, _ in given]


@task(after=[store])
def later(message: str, ctx: Context) -> None:
    """Follow."""
    ctx.facts["later"] = message


def pipeline(*tasks: Task) -> Pipeline:
    type_ = ConsumerType(name="texts", message=None, tasks=tasks)
    return Pipeline("texts", type_, lambda envelope, _: envelope.body.decode(), tasks, accepts=lambda _: True)


def test_each_message_goes_on_with_what_it_was_left() -> None:
    texts = ["a", "reject", "retry", "error"]
    line, envelopes = pipeline(store, later), [Envelope(one.encode(), "q") for one in texts]
    begun = line.begin(store, [*zip(envelopes, texts, strict=True)])
    assert begun is not None
    ended = [
        line.process(envelope, text, begun=one)
        for envelope, text, one in zip(envelopes, texts, begun, strict=True)
    ]
    assert [one.outcome for one in ended] == [Outcome.ACKED, Outcome.DEAD, Outcome.RETRIED, Outcome.RETRIED]
    assert [one.done for one in ended] == [("store", "later"), (), (), ()]
    assert ended[0].facts == {"at": 4, "later": "a"}
    assert [one.facts["at"] for one in ended[1:]] == [4, 4, 4]
    assert [one.counts for one in ended] == [{"seen": 1}] * 4
    assert [[follow_up.body for follow_up in one.follow_ups] for one in ended][:2] == [
        [b'{"text":"a"}'],
        [b'{"text":"reject"}'],
    ]
    assert [[failure.kind for failure in one.failures] for one in ended] == [
        [],
        ["reject"],
        ["retry"],
        ["error"],
    ]
    assert ended[2].delay == 7
    assert all(one.timings["store"] > 0 for one in ended)


def test_facts_that_are_too_large_are_that_messages_trouble_alone() -> None:
    @task(many=10)
    def fill(given: Given) -> None:
        for text, ctx in given:
            ctx.facts["text"] = text

    line = pipeline(fill)
    begun = line.begin(fill, [(Envelope(b"", "q", facts={"kept": 1}), "x" * 9000), (Envelope(b"", "q"), "y")])
    assert begun is not None
    large, small = (line.process(one.context.envelope, "", begun=one) for one in begun)
    assert (large.outcome, large.facts) == (Outcome.RETRIED, {"kept": 1})
    assert (small.outcome, small.facts) == (Outcome.ACKED, {"text": "y"})


def test_what_is_raised_is_said_of_none() -> None:
    calls: list[int] = []

    @task(many=10)
    def fail(given: Given) -> None:
        calls.append(len(given))
        raise NotYet("wait")

    line = pipeline(fail)
    assert line.begin(fail, [(Envelope(b"a", "q"), "a"), (Envelope(b"b", "q"), "b")]) is None
    assert line.process(Envelope(b"a", "q"), "a").failures[0].kind == "not-yet"
    assert calls == [2, 1]


@pytest.mark.parametrize("ends", [[], [None, None, None], ["done", None], [True, False]])
def test_a_task_that_does_not_say_of_each_how_it_ended_is_told(ends: list[Any]) -> None:
    wrong = task(many=2, name="wrong")(lambda given: ends)
    with pytest.raises(TaskError, match=r"task wrong returned \d ends for 2 messages"):
        wrong.ends([("a", Context(Envelope(b"", "q"), "c")), ("b", Context(Envelope(b"", "q"), "c"))])


def test_as_a_function_it_takes_one() -> None:
    context = Context(Envelope(b"", "q"), "c")
    assert store("a", context) is None
    with pytest.raises(Reject, match="bad"):
        store("reject", context)
    with pytest.raises(TaskError, match="takes one message at a time"):
        later.ends([("a", context)])


@pytest.mark.parametrize("wrong", [{"many": 0}, {"many": MOST + 1}, {"many": 5, "after": ["store"]}])
def test_numbers_out_of_range_and_tasks_before_it_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"2 to {MOST} messages"):
        task(**wrong)
