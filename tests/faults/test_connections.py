"""Brokers and connections that come and go: messages are late, none is lost."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable

import pytest

from tests.at_length import Scale
from tests.faults.ledger import Ledger
from tests.faults.processes import workers
from tests.services import RabbitMQ
from tests.support import Running, eventually


@pytest.mark.parametrize("threads", [1, 4])
def test_connections_that_are_cut_again_and_again_lose_nothing(
    ledger: Ledger, scale: Scale, threads: int
) -> None:
    chance = random.Random(3)
    ledger.configure(consumer=f", concurrency: {threads}")
    running = ledger.lab.run()
    cuts = scale(4, 100)
    for _ in range(cuts):
        ledger.mixture(scale(100, 300))
        ledger.wait_for_share(running, chance.uniform(0.3, 0.8))
        ledger.wire.cut()
    ledger.wait(running, 180)

    assert running.end() == 0
    assert "ended with code" not in running.printed
    ledger.close(f"{cuts} cuts of all connections, {threads} thread(s)")


def test_a_message_that_is_cut_off_more_often_than_it_may_crash_is_done(ledger: Ledger) -> None:
    ledger.configure(consumer=", concurrency: 4, crashes: 2", grace="0")
    ledger.send(first="wait gate")
    running = ledger.lab.run()
    for begun in (1, 2, 3):
        eventually(lambda begun=begun: len(ledger.lines("waiting")) >= begun, 60, lambda: running.printed)  # type: ignore[misc]  # mypy sees no default
        ledger.wire.cut()
    ledger.lab.open_gate()
    ledger.wait(running)

    assert running.end() == 0
    ledger.close("a message whose connection is cut three times")


def test_a_half_open_connection_is_noticed_within_two_heartbeats(ledger: Ledger, scale: Scale) -> None:
    ledger.configure(broker=", heartbeat: 2s, connectTimeout: 1s", grace="0")
    running = ledger.lab.run()
    for _ in range(scale(1, 5)):
        ledger.mixture(scale(100, 500))
        ledger.wait_for_share(running, 0.5)
        assert frozen(ledger, running) <= 5, "two are sent in each interval of the heartbeat"
        ledger.wait(running, 180)

    assert running.end() == 0
    ledger.close("half-open connections")


def frozen(ledger: Ledger, running: Running) -> int:
    """Freeze the wire until PACER has given its connections up; give how many heartbeats one has sent."""
    before, failures = len(ledger.wire.events), running.printed.count("cannot connect to")
    ledger.wire.freeze()
    eventually(
        lambda: running.printed.count("cannot connect to") > failures, 60, what=lambda: running.printed
    )
    said = Counter(one.link for one in ledger.wire.events[before:] if one.what == "heartbeat")
    ledger.wire.thaw()
    return max(said.values(), default=0)


def test_a_connection_that_is_half_open_before_a_confirm_is_noticed_as_well(ledger: Ledger) -> None:
    ledger.configure(consumer=", concurrency: 1", broker=", heartbeat: 1s, connectTimeout: 1s")
    running = ledger.lab.run()
    name = ledger.next_name
    ledger.wire.at(lambda event: event.what == "publish" and event.message == name, ledger.wire.freeze)
    ledger.dead.update(ledger.send(second="reject"))
    noticed = re.compile(rf" {workers(running)[0]} pacer.worker: (lost|cannot connect to)")
    eventually(lambda: noticed.search(running.printed), 60, what=lambda: running.printed)
    ledger.wire.thaw()
    ledger.mixture(50)
    ledger.wait(running)

    assert "has not confirmed" not in running.printed, "its patience for confirms is much longer"
    assert running.end() == 0
    ledger.close("half-open before a confirm")


def test_a_broker_that_is_restarted_and_killed_loses_nothing(
    books: Callable[[RabbitMQ, str], Ledger], start_rabbitmq: Callable[..., RabbitMQ], scale: Scale
) -> None:
    node = start_rabbitmq()
    ledger = books(node, node.new_vhost())
    ledger.broker_dies = True
    ledger.configure()
    running = ledger.lab.run()
    for _ in range(scale(1, 5)):
        for away in (node.stop, node.kill):
            ledger.mixture(scale(200, 2000))
            ledger.wait_for_share(running, 0.5)
            away()
            node.start()
    ledger.wait(running, 180)

    assert running.end() == 0
    assert "ended with code" not in running.printed
    ledger.close("broker stopped and killed, and started again")


def test_a_work_queue_that_is_deleted_while_copies_wait_loses_none(ledger: Ledger, scale: Scale) -> None:
    ledger.configure()
    running = ledger.lab.run()
    copies, step = scale(50, 1000), scale(5, 15)
    ledger.send(copies, second=f"later {step}")
    eventually(lambda: len(ledger.copies(f"pacer.retry.{step}s")) == copies, 60, lambda: running.printed)
    assert running.end() == 0
    ledger.lab.channel.queue_delete("jobs")
    # The time of the copies comes while there is no queue for them: the broker keeps them.
    eventually(lambda: ledger.held() == copies, 60, lambda: f"{ledger.held()} are held")
    if scale(0, 1):  # and gives them back three minutes after there is one again
        running = ledger.lab.run()
        ledger.wait(running, 400)
        assert running.end() == 0
    ledger.close("work queue deleted while copies wait")


def test_a_disk_alarm_delays_what_leaves_a_copy_and_loses_nothing(ledger: Ledger, scale: Scale) -> None:
    # Each worker reads it when it starts.
    ledger.lab.site.write(
        "import pacer_core.transport.publishing_link as link; link.CONFIRM_TIMEOUT = 1.0\n",
        "sitecustomize.py",
    )
    ledger.configure()
    running = ledger.lab.run()
    good = ledger.send(first="wait gate", second="emit children")
    eventually(lambda: ledger.lines("waiting"), what=lambda: running.printed)
    full, limit = (
        "1000000GB",
        ledger.lab.node.ctl("eval", "rabbit_disk_monitor:get_disk_free_limit().").strip(),
    )
    try:
        ledger.lab.node.ctl("set_disk_free_limit", full)
        ledger.lab.open_gate()
        running.wait_for("has not confirmed")
        assert ("jobs", *good) in ledger.done()
        assert ("children", *good) not in ledger.done()
    finally:
        ledger.lab.node.ctl("set_disk_free_limit", limit)
    ledger.mixture(scale(100, 2000))
    ledger.wait(running)

    assert running.end() == 0
    ledger.close("disk alarm")
