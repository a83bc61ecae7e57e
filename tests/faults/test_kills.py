"""kill -9, at every place between two things that belong together."""

from __future__ import annotations

import os
import random
import signal
import threading

import pytest

from tests.at_length import Scale, long
from tests.faults.accounts import Account
from tests.faults.ledger import Ledger
from tests.faults.processes import alive, workers
from tests.support import Running, eventually


def kill(running: Running, who: str) -> None:
    """Kill a worker, its supervisor, or all there are."""
    eventually(lambda: any(map(alive, workers(running))), 120, lambda: running.printed[-6000:])
    if who == "all":
        os.killpg(running.process.pid, signal.SIGKILL)
    else:
        worker = next(filter(alive, workers(running)))
        os.kill(worker if who == "worker" else running.process.pid, signal.SIGKILL)


def restarted(ledger: Ledger, running: Running, who: str) -> Running:
    """Start again what nobody else does, once everything of the killed run is gone."""
    if who == "worker":
        return running
    running.process.wait(30)
    eventually(lambda: not any(map(alive, workers(running))), what=lambda: running.printed)
    return ledger.lab.run()


def check(account: Account, who: str) -> None:
    """Look whether the kill fell where it had to; workers that lose their supervisor end in good order."""
    if who == "supervisor":
        assert account.repeated == account.twice == 0
    else:
        assert account.excused


def struck_in_task(ledger: Ledger, running: Running, who: str, task: str) -> None:
    """Have a task strike; the second one does before its effect, when the first one is done."""
    (name,) = ledger.send(1, **{task: f"kill {who}"})
    mark = ledger.lab.site.folder / f"once-{name}-{task}"
    eventually(mark.exists, what=lambda: running.printed)


def struck_at_copy(ledger: Ledger, running: Running, who: str, what: str, job: str) -> str:
    """Strike when the copy of a message is published, or confirmed, and before it is acknowledged."""
    name = ledger.next_name
    struck = threading.Event()

    def strike() -> None:
        kill(running, who)
        struck.set()

    ledger.wire.at(lambda event: event.what == what and event.message == name, strike)
    ledger.send(second=job)
    eventually(struck.is_set, what=lambda: running.printed)
    return name


@pytest.mark.parametrize("who", ["worker", "supervisor", pytest.param("all", marks=long)])
def test_a_kill_in_a_task_or_between_two_loses_nothing(ledger: Ledger, scale: Scale, who: str) -> None:
    ledger.configure()
    running = ledger.lab.run()
    for task in ("first", "second"):
        ledger.mixture(scale(50, 1000))
        struck_in_task(ledger, running, who, task)
        ledger.mixture(scale(50, 1000))
        running = restarted(ledger, running, who)
        ledger.wait(running)

    assert running.end() == 0
    account = ledger.close(f"kill -9 of {who} in a task, and between two")
    check(account, who)


@pytest.mark.parametrize("who", ["worker", pytest.param("supervisor", marks=long), "all"])
def test_a_kill_between_a_copy_and_its_acknowledgement_loses_nothing(
    ledger: Ledger, scale: Scale, who: str
) -> None:
    ledger.configure()
    running = ledger.lab.run()
    places = [("confirm", "retry 1"), ("confirm", "reject"), ("publish", "retry 1"), ("publish", "reject")]
    for what, job in places[: scale(2, 4)]:
        name = struck_at_copy(ledger, running, who, what, job)
        if job == "reject":
            ledger.dead.add(name)
        ledger.mixture(scale(50, 1000))
        running = restarted(ledger, running, who)
        ledger.wait(running)

    assert running.end() == 0
    account = ledger.close(f"kill -9 of {who} between confirm and ack")
    check(account, who)


def test_what_one_thread_has_done_is_not_repeated_when_it_is_killed_in_a_later_message(
    ledger: Ledger,
) -> None:
    ledger.configure(consumer=", concurrency: 1")
    ledger.send(20, first="sleep 0.05")
    ledger.send(first="kill worker")
    running = ledger.lab.run()
    ledger.wait(running)

    assert running.end() == 0
    account = ledger.close("kill -9 of a worker with one thread")
    assert account.repeated == 0


def test_kills_at_random_lose_nothing(ledger: Ledger, scale: Scale) -> None:
    chance = random.Random(4)
    ledger.configure(consumer=", concurrency: 4, workers: 2, crashes: 1000")
    kills = scale(4, 40)
    running = ledger.lab.run()
    for _ in range(kills):
        ledger.mixture(scale(100, 300))
        ledger.wait_for_share(running, chance.uniform(0.5, 0.9))
        who = chance.choice(["worker", "worker", "worker", "supervisor", "all"])
        kill(running, who)
        running = restarted(ledger, running, who)
    ledger.wait(running, 240)

    assert running.end() == 0
    ledger.close(f"kill -9 at random, {kills} times")
