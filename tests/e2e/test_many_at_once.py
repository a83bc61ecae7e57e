"""A task that takes many messages at once: each has its own end, whatever becomes of the others."""

from __future__ import annotations

import json
import os
import signal

from tests.lab import Lab
from tests.support import eventually

CONSUMER = "type: many, queues: [jobs], concurrency: 2, retries: {limit: 1, delay: 1s}"


def given(lab: Lab) -> list[int]:
    """Give with how many messages the task was called, each time."""
    return [int(line.split()[1]) for line in lab.effects if line.startswith("given ")]


def test_what_waits_is_given_together_and_each_ends_by_itself(lab: Lab) -> None:
    lab.configure(consumer=CONSUMER)
    lab.declare()
    for number in range(120):
        first = {7: "reject", 8: "error", 9: "once retry", 10: "emit follow-ups", 11: "note at"}.get(
            number, ""
        )
        lab.publish({"name": f"m{number}", "first": first, "other": "tell" if number == 11 else ""})
    done = lab.once()
    assert done.code == 1, done.err
    assert max(given(lab)) == 50
    assert len(given(lab)) < 20
    assert all(lab.counted[f"at_once m{number} 1"] == 1 for number in range(120))
    assert lab.counted["at_once m8 2"] == lab.counted["at_once m9 2"] == 1
    assert sum(lab.counted[f"other m{number} 1"] for number in range(120)) == 120, "the other task runs, too"
    assert any(line.startswith("facts {'at': 1}") for line in lab.effects)
    assert {json.loads(message.body)["name"] for message in lab.take()} == {"m7", "m8"}


def test_where_all_fail_together_each_is_tried_by_itself(lab: Lab) -> None:
    lab.configure(consumer=CONSUMER)
    lab.declare()
    for number in range(20):
        lab.publish({"name": f"m{number}", "second": "fail" if number == 3 else ""})
    done = lab.once()
    assert done.code == 0, done.err
    assert "messages at once, each is tried by itself: RuntimeError" in done.err
    together = max(given(lab))
    assert together > 1
    assert given(lab).count(1) >= together
    assert all(lab.counted[f"at_once m{number} 1"] == 1 for number in range(20))


def test_of_those_that_were_given_together_the_one_that_kills_the_worker_is_found(lab: Lab) -> None:
    lab.configure(consumer=CONSUMER)
    lab.declare()
    for number in range(40):
        lab.publish({"name": f"m{number}", "first": "kill" if number == 23 else ""})
    running = lab.run()
    running.wait_for("worker died 3 times", 120)
    eventually(lambda: all(lab.counted[f"other m{number} 1"] for number in range(40) if number != 23), 60)
    eventually(lambda: not lab.waiting(), 60)
    assert running.end() == 0
    (dead,) = lab.take()
    assert b"m23" in dead.body
    assert max(given(lab)) > 1


def test_a_worker_that_is_killed_while_many_are_under_way_loses_none(lab: Lab) -> None:
    lab.configure(consumer=CONSUMER)
    lab.declare()
    for number in range(40):
        lab.publish({"name": f"m{number}", "first": {0: "where", 20: "wait gate"}.get(number, "")})
    running = lab.run()
    eventually(lambda: lab.held, what=lambda: running.printed)
    (where,) = (line for line in lab.effects if line.startswith("in "))
    os.kill(int(where.split()[1]), signal.SIGKILL)
    lab.open_gate()
    eventually(
        lambda: all(lab.counted[f"other m{number} 1"] for number in range(40)), 60, lambda: running.printed
    )
    eventually(lambda: not lab.waiting(), 60)
    assert running.end() == 0
    assert lab.take() == []
