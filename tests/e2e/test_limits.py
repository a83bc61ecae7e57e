"""Quorum queues of somebody else's, which drop what is returned to them too often.

RabbitMQ 4 does so after 20 returns by default; on an older one, the queue is given that limit.
"""

from __future__ import annotations

import shlex
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from pacer_core.transport.delivery_limits import default_limit, effective_limit
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
        give_back(lab, count)
        eventually(partial(_all_are_back, lab, count))


def give_back(lab: Lab, count: int) -> None:
    """Take so many messages, and return them by the end of the channel."""
    channel = lab.channel
    channel.basic_qos(0, count, False)
    taken: list[Any] = []
    channel.basic_consume("jobs", callback=taken.append)
    while len(taken) < count:
        channel.connection.drain_events(timeout=30)
    channel.close()


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


def doctor(lab: Lab) -> str:
    """Give what doctor says of the broker, which has to be reachable."""
    ran = lab.site.pacer("doctor", "-c", lab.file)
    assert ran.code == 0, ran.both
    return ran.both


def test_the_policy_that_a_warning_prints_keeps_messages_and_ends_the_warning(limited: Lab) -> None:
    limited.declare()
    said = doctor(limited)
    command, _, line = said[said.index("rabbitmqctl") :].partition("; then add ")
    limited.node.ctl(*shlex.split(command)[1:])
    stated = line[line.index("policy:") :].splitlines()[0]
    limited.publish({"name": "a"})
    for _ in range(25):
        if limited.waiting():
            give_back(limited, 1)
        eventually(lambda: limited.waiting() + limited.waiting("jobs.dead") == 1)

    limited.configure(queue=f"{PASSIVE}, {stated}", consumer=ONE_THREAD)
    assert "drops a message" not in doctor(limited)
    limited.open_gate()
    assert "drops a message" not in limited.once().both


@pytest.mark.parametrize(
    ("policy", "copied"),
    [
        ("", True),
        (", policy: {}", False),
        (", policy: {deliveryLimit: 1000000}", False),
        (", policy: {deliveryLimit: 9}", True),
    ],
)
def test_messages_are_copied_at_half_of_the_limit_that_the_configuration_states(
    limited: Lab, policy: str, copied: bool
) -> None:
    limited.configure(queue=PASSIVE + policy, consumer=ONE_THREAD)
    limited.publish({"name": "a"})
    bring_back(limited, 4)
    running = limited.run()
    eventually(lambda: "second a 1" in limited.effects, 30, lambda: running.printed)
    assert running.end() == 0
    assert ("fresh copies" in running.printed) == copied


@pytest.mark.parametrize(
    ("version", "argument", "policy", "returns"),
    [
        ("3.10.8", None, None, None),
        ("3.10.8", None, 7, 7),
        ("3.10.8", 5, 7, 5),
        ("3.10.8", -1, 7, 0),
        ("4.0.5", None, None, 20),
        ("4.0.5", None, 7, 7),
        ("4.0.5", 9, 7, 7),
        ("4.0.5", 5, 1_000_000, 5),
        ("4.0.5", 5, -1, 5),
        ("4.0.5", -1, 7, 7),
        ("4.0.5", -1, None, None),
    ],
)
def test_an_argument_and_a_policy_make_the_limit_that_rabbitmq_makes_of_them(
    version: str, argument: int | None, policy: int | None, returns: int | None
) -> None:
    assert effective_limit(argument, policy, default_limit(version)) == returns
