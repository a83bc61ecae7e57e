"""Messages that get a fresh copy, and a process that dies before it acknowledges the old one."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.lab import Lab
from tests.support import eventually

DIES = """
    import os, signal
    from pacer_core import hookimpl
    from pacer_core.transport.renewal import Renewer
    from pathlib import Path

    HERE = Path(__file__).parent.parent
    publish = Renewer._publish

    def confirmed(self, publisher, batch):
        done = self._done
        def die(renewal, confirmed):  # confirmed, and nobody knows it yet
            try:
                (HERE / "died").touch(exist_ok=False)
            except FileExistsError:
                return done(renewal, confirmed)
            os.kill(os.getpid(), signal.SIGKILL)
        self._done = die
        publish(self, publisher, batch)
        self._done = done

    Renewer._publish = confirmed
"""
QUORUM = {"x-queue-type": "quorum", "x-delivery-limit": 20}


@pytest.mark.parametrize("consumer", ["jobs", "keyed"])
def test_a_kill_between_a_copys_confirm_and_the_acknowledgement_loses_nothing(
    lab: Lab, consumer: str
) -> None:
    lab.site.install("dies-pacer", DIES)
    lab.configure(
        queue="name: jobs, declare: passive", consumer=f"type: {consumer}, queues: [jobs], concurrency: 4"
    )
    channel = lab.channel
    channel.queue_declare("jobs", durable=True, auto_delete=False, arguments=QUORUM)
    names = [f"m{number}" for number in range(20)]
    for name in names:
        lab.publish({"name": name})
    for _ in range(5):
        channel = lab.channel
        channel.basic_qos(0, len(names), False)
        taken: list[object] = []
        channel.basic_consume("jobs", callback=taken.append)
        while len(taken) < len(names):
            channel.connection.drain_events(timeout=30)
        channel.close()
        eventually(lambda: lab.waiting() == len(names))
    running = lab.site.start("run", "-c", lab.file)
    begun = "begin {} 0" if consumer == "keyed" else "first {} 1"
    running.wait_for("ended with code -9", 60)
    unacknowledged = len({begun.format(one) for one in names} & set(lab.effects))
    eventually(lambda: {begun.format(one) for one in names} <= set(lab.effects), 60, lambda: running.printed)
    assert running.end(60) == 0
    assert lab.once().code == 0  # of the copies that were confirmed the second ones may be left
    handled = Counter(line for line in lab.effects if line in {begun.format(one) for one in names})
    # Twice by the second copies; what had begun when the worker was killed began once more.
    assert max(handled.values()) <= 3
    assert sum(times == 3 for times in handled.values()) <= unacknowledged
    assert lab.waiting() == 0
    assert lab.waiting("jobs.dead") == 0
