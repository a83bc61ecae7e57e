"""Forwarding to a broker that comes and goes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.at_length import Scale, long
from tests.faults.ledger import MIRROR, Ledger
from tests.faults.wire import Wire
from tests.lab import Lab
from tests.services import RabbitMQ
from tests.support import Site, eventually

RECIPIENT = """recipients:
        - name: away
          host: 127.0.0.1
          port: {port}
          vHost: "{vhost}"
          connectTimeout: 1s
          heartbeat: 1s
          forwardingRules: [{{fromExchange: user-office, withRoutingKey: "sample.#"}}]
"""


@pytest.fixture
def door(ledger: Ledger, site: Site, rabbitmq: RabbitMQ) -> Iterator[Wire]:
    """The way to a recipient, with a queue that takes what is forwarded."""
    with rabbitmq.vhost() as vhost:
        door, there = Wire(rabbitmq.port), Lab(site, rabbitmq, vhost)
        channel = there.channel
        channel.exchange_declare("user-office", "topic", durable=True, auto_delete=False)
        channel.queue_declare(MIRROR, durable=True, auto_delete=False)
        channel.queue_bind(MIRROR, "user-office", "#")
        ledger.recipient = there, door
        ledger.configure(
            queue=', exchange: user-office, routingKey: "#"',
            recipients=RECIPIENT.format(port=door.port, vhost=vhost),
            more="exchanges: [{name: user-office, type: topic}]",
        )
        yield door
        door.close()
        there.close()


@pytest.mark.parametrize("goes", ["refuses", pytest.param("is half open", marks=long)])
def test_a_recipient_that_comes_and_goes_gets_every_message_and_holds_no_task_up(
    ledger: Ledger, door: Wire, scale: Scale, goes: str
) -> None:
    """At length, some fifteen seconds for each absence and a minute in the end: four minutes."""
    away, back = (door.refuse, door.admit) if goes == "refuses" else (door.freeze, door.thaw)
    ledger.lab.site.write(
        "import pacer_core.transport.forward as forward; forward.PAUSE = 0.5\n", "sitecustomize.py"
    )
    running = ledger.lab.run()
    for _ in range(scale(1, 10)):
        ledger.mixture(scale(50, 500))
        if scale(0, 1):
            ledger.wait_for_share(running, 0.5)
        else:  # what was tried twice already would wait for a longer step of the ladder
            ledger.wait(running)
        away()
        names = set(ledger.send(scale(200, 500)))
        eventually(
            lambda names=names: names <= {one[2] for one in ledger.lines() if one[1] == "other"},  # type: ignore[misc]  # mypy sees no default
            120,
            lambda: running.printed[-6000:],
        )
        back()
    ledger.wait(running, scale(120, 300))  # what meets a system that is away waits for a minute at the most

    assert running.end() == 0
    ledger.close(f"a recipient that {goes}, again and again")
