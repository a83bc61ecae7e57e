"""Clients of outside systems: opened when they are needed, once or once in each thread, and closed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from attrs import define, field, frozen

from pacer_core import ConsumerType, Context, Envelope, IntegrationType, PacerError, Retry, task
from pacer_core.config.model import Consumer, ConsumerPlan, Integration
from pacer_core.model.errors import AwayError
from pacer_core.model.messages import Clients
from pacer_core.pipeline.processing import Pipeline
from pacer_core.testing import deliver, run_task
from pacer_core.work.clients import OpenIntegrations


@define
class Diary:
    """What was opened and closed, in order, and by whether a thread did it."""

    lines: list[str] = field(factory=list)
    away: bool = False

    @contextmanager
    def open(self, options: Any, shared: Any = "process") -> Iterator[str]:
        if self.away:
            raise ConnectionError("nobody there")
        self.lines.append(f"open {shared}")
        yield f"client of {shared}"
        self.lines.append(f"close {shared}")

    @contextmanager
    def share(self, options: Any) -> Iterator[str]:
        self.lines.append("share")
        yield "thread"
        self.lines.append("unshare")


def plan(kind: IntegrationType[Any], name: str = "scale-1") -> ConsumerPlan:
    type_ = ConsumerType(name="parcels", message=None, tasks=[])
    pipeline = Pipeline("parcels", type_, lambda envelope, consumer: None, ())
    return ConsumerPlan(Consumer("parcels", ("q",)), pipeline, {kind.name: Integration(name, kind, None)})


def in_threads(count: int, call: Any) -> list[Any]:
    got: list[Any] = []
    threads = [threading.Thread(target=lambda: got.append(call())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


def test_a_client_of_the_process_is_opened_once_for_all_threads_when_first_needed() -> None:
    diary = Diary()
    kind = IntegrationType(name="scale", options=dict, open=diary.open)
    opened = OpenIntegrations()
    clients = opened.clients(plan(kind))
    assert diary.lines == []
    assert in_threads(5, lambda: clients.get(kind)) == ["client of process"] * 5
    assert diary.lines == ["open process"]
    opened.close()
    assert diary.lines == ["open process", "close process"]


def test_a_client_of_a_thread_is_opened_in_each_with_what_the_process_shares() -> None:
    diary = Diary()
    kind = IntegrationType(name="scale", options=dict, open=diary.open, per="thread", share=diary.share)
    opened = OpenIntegrations()
    clients = opened.clients(plan(kind))

    def work() -> Any:
        first, second = clients.get(kind), clients.get(kind)
        opened.close_thread()
        return first is second

    assert in_threads(3, work) == [True] * 3
    opened.close()
    assert (diary.lines[0], diary.lines[-1]) == ("share", "unshare")
    assert diary.lines.count("open thread") == diary.lines.count("close thread") == 3


def test_a_system_that_is_away_delays_a_task_and_is_tried_again_with_the_next_one() -> None:
    diary = Diary(away=True)
    kind = IntegrationType(name="scale", options=dict, open=diary.open)
    clients = OpenIntegrations().clients(plan(kind))
    with pytest.raises(
        AwayError, match=r"integration 'scale-1' cannot be opened: ConnectionError: nobody there"
    ):
        clients.get(kind)
    diary.away = False
    assert clients.get(kind) == "client of process"


def test_an_integration_that_hangs_while_it_is_opened_holds_up_no_other() -> None:
    inside, release = threading.Event(), threading.Event()

    @contextmanager
    def slow(options: Any) -> Iterator[str]:
        inside.set()
        assert release.wait(30)
        yield "slow"

    hanging = IntegrationType(name="lorry", options=dict, open=slow)
    quick = IntegrationType(name="scale", options=dict, open=Diary().open)
    opened = OpenIntegrations()
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(opened.clients(plan(hanging, "l")).get(hanging)))
    thread.start()
    assert inside.wait(30)
    assert opened.clients(plan(quick)).get(quick) == "client of process"
    release.set()
    thread.join(30)
    assert found == ["slow"]


def test_a_client_that_does_not_close_properly_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    @contextmanager
    def sticky(options: Any) -> Iterator[int]:
        yield 1
        raise OSError("stuck")

    kind = IntegrationType(name="scale", options=dict, open=sticky)
    opened = OpenIntegrations()
    assert opened.clients(plan(kind)).get(kind) == 1
    opened.close()
    assert "an integration did not close properly" in caplog.text


def test_an_integration_that_is_not_enabled_is_an_error_that_says_what_to_do() -> None:
    kind: IntegrationType[Any] = IntegrationType(name="scale", options=dict, open=Diary().open)

    @task
    def weigh(parcel: Any, ctx: Context) -> None:
        ctx[kind]

    delivery = deliver(ConsumerType(name="parcels", message=None, tasks=[weigh]), b"")
    assert "integration 'scale' is not enabled for this consumer" in str(delivery.error)
    assert "needs=" in str(delivery.error)
    with pytest.raises(PacerError, match="add it to the consumer's 'integrations'"):
        run_task(weigh, None)


@frozen
class Options:
    limit: int = 3


def test_a_task_is_tested_twice_with_its_options_clients_and_facts() -> None:
    kind: IntegrationType[Any] = IntegrationType(name="scale", options=dict, open=Diary().open)
    seen: list[Any] = []

    @task(needs=[kind], options=Options, name="weigh")
    def weighing(parcel: str, ctx: Context) -> Retry | None:
        seen.append((parcel, ctx[kind], ctx.options.limit, ctx.facts["doi"]))
        return None if ctx.options.limit > 1 else Retry("too little")

    facts = {"doi": "10.1/x"}
    assert run_task(weighing, "p", integrations={kind: ["client"]}, facts=facts) is None
    assert seen == [("p", ["client"], 3, "10.1/x")] * 2
    given = run_task(weighing, "p", integrations={kind: []}, options=Options(0), facts=facts, twice=False)
    assert str(given) == "too little"
    assert (
        weighing("p", Context(_envelope(), "test", clients=_clients(kind), options=Options(), facts=facts))
        is None
    )


def _envelope() -> Any:

    return Envelope(b"", queue="test")


def _clients(kind: IntegrationType[Any]) -> Any:

    return Clients({kind.name: []})
