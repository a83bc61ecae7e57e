"""dramatiq: an actor with the default middleware; started by dramatiq's own command."""

from __future__ import annotations

from typing import Any

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker

from benchmarks import probe

kind = RedisBroker if probe.SETTING["url"].startswith("redis") else RabbitmqBroker
broker = kind(url=probe.SETTING["url"])
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name=probe.SETTING["queue"], actor_name="handle")
def handle(_: Any) -> None:
    """Do the work that the benchmark asks for."""
    probe.work()
