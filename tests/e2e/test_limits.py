"""Quorum queues of somebody else's, which drop what is returned to them too often.

RabbitMQ 4 does so after 20 returns by default; on an older one, the queue is given that limit.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.lab import Lab
from tests.support import Ran, eventually

PASSIVE = "name: jobs, declare: passive"
ONE_THREAD = "type: jobs, queues: [jobs], concurrency: 1, prefetch: 10"
GRACE = "shutdownGrace: 1s"
QUORUM = {"x-queue-type": "quorum"}


@pytest.fixture
def limited(lab: Lab) -> Lab:
    """A lab whose queue is somebody else's, and drops after 20 returns."""
    declare(lab)
    configure(lab)
    return lab


def configure(lab: Lab, consumer: str = ONE_THREAD) -> None:
    file = lab.configure(queue=PASSIVE, consumer=consumer)
    file.write_text(file.read_text().replace("shutdownGrace: 5s", GRACE))


def declare(lab: Lab, **arguments: Any) -> None:
    channel = lab.channel
    version = channel.connection.server_properties["version"]
    given = {} if int(version.partition(".")[0]) >= 4 else {"x-delivery-limit": 20}
    channel.queue_declare("jobs", durable=True, auto_delete=False, arguments=QUORUM | given | arguments)
    channel.close()


def bring_back(lab: Lab, times: int) -> None:
    """Return every message so often."""
    for _ in range(times):
        count = lab.waiting()
        channel = lab.channel
        channel.basic_qos(0, count, False)
        taken: list[Any] = []
        channel.basic_consume("jobs", callback=taken.append)
        while len(taken) < count:
            channel.connection.drain_events(timeout=30)
        channel.close()
        eventually(partial(_all_are_back, lab, count))


def _all_are_back(lab: Lab, count: int) -> bool:
    return lab.waiting() == count


def live(lab: Lab, end: Callable[[Any], Any]) -> None:
    """Let PACER live for a moment, and end it somehow."""
    running = lab.run()
    time.sleep(0.5)
    end(running)


def stop(running: Any) -> None:
    assert running.end() == 0, running.printed


def kill(running: Any) -> None:
    """End it and its workers as a power failure would."""
    running.process.send_signal(signal.SIGKILL)
    running.process.wait()


def finish(lab: Lab) -> Ran:
    lab.open_gate()
    return lab.once()


@pytest.mark.parametrize("end", [stop, kill])
def test_no_end_of_pacer_is_one_too_many(limited: Lab, end: Callable[[Any], Any]) -> None:
    names = [f"m{number}" for number in range(3)]
    for name in names:
        limited.publish({"name": name, "first": "wait gate"})
    bring_back(limited, 18)
    for _ in range(5):
        live(limited, end)
    done = finish(limited)
    assert {f"first {name} 1" for name in names} <= set(limited.effects), done.both
