"""A Redis that is killed, restarted, frozen, full or cut off, and workers that die at it: none is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from contextlib import closing
from pathlib import Path

import pytest

from pacer_core.config import load
from pacer_core.transport.connection import connect
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.topology import declare
from tests.at_length import Scale, long
from tests.faults.processes import alive, workers
from tests.faults.redis_books import RedisLab, RedisLedger
from tests.lab import PLUGIN
from tests.services import Redis, RedisSentinels
from tests.support import Running, Site, eventually


def lab(ledger: RedisLedger) -> tuple[RedisLab, Redis]:
    assert isinstance(ledger.lab, RedisLab)
    assert ledger.lab.server is not None
    return ledger.lab, ledger.lab.server


@pytest.mark.parametrize("how", ["killed", "restarted"])
def test_a_redis_that_goes_and_comes_back_loses_nothing(
    on_redis: RedisLedger, scale: Scale, how: str
) -> None:
    ledger, chance = on_redis, random.Random(5)
    client, server = lab(ledger)
    ledger.configure()
    running = client.run()
    times = scale(3, 20)
    for _ in range(times):
        ledger.mixture(scale(150, 500))
        ledger.wait_for_share(running, chance.uniform(0.4, 0.9))
        client.hang_up()
        if how == "killed":
            server.kill()
        else:
            server.stop()
        server.start()
    ledger.wait(running, 180)

    assert running.end() == 0
    ledger.close(f"Redis {how} {times} times")


def test_a_frozen_redis_delays_messages_and_loses_none(on_redis: RedisLedger, scale: Scale) -> None:
    ledger = on_redis
    client, server = lab(ledger)
    ledger.configure()
    running = client.run()
    for _ in range(scale(1, 5)):
        ledger.mixture(scale(150, 500))
        ledger.wait_for_share(running, 0.4)
        server.signal(signal.SIGSTOP)
        eventually(lambda: "lost redis://" in running.printed, 60, lambda: running.printed[-4000:])
        server.signal(signal.SIGCONT)
        ledger.wait(running, 180)

    assert running.end() == 0
    ledger.close("Redis frozen by SIGSTOP")


def test_a_full_redis_delays_messages_and_loses_none(on_redis: RedisLedger, scale: Scale) -> None:
    ledger = on_redis
    client, server = lab(ledger)
    ledger.configure()
    running = client.run()
    ledger.mixture(scale(150, 500))
    ledger.wait_for_share(running, 0.3)
    server.tell("CONFIG", "SET", "maxmemory", "100kb")
    time.sleep(3)  # as long as it takes: retries and dead letters find no room
    server.tell("CONFIG", "SET", "maxmemory", "0")
    ledger.wait(running, 180)

    assert running.end() == 0
    ledger.close("Redis full")


def test_scripts_that_are_forgotten_again_and_again_lose_nothing(on_redis: RedisLedger, scale: Scale) -> None:
    ledger = on_redis
    client, server = lab(ledger)
    ledger.configure()
    running = client.run()
    for _ in range(scale(5, 50)):
        ledger.mixture(40)
        server.tell("SCRIPT", "FLUSH")
    ledger.wait(running, 120)

    assert running.end() == 0
    account = ledger.close("SCRIPT FLUSH")
    assert account.excused == 0


def test_connections_to_redis_that_are_cut_lose_nothing(on_redis: RedisLedger, scale: Scale) -> None:
    ledger, chance = on_redis, random.Random(3)
    client, _ = lab(ledger)
    ledger.configure()
    running = client.run()
    cuts = scale(4, 60)
    for _ in range(cuts):
        ledger.mixture(scale(100, 300))
        ledger.wait_for_share(running, chance.uniform(0.3, 0.8))
        ledger.wire.cut()
    ledger.wait(running, 180)

    assert running.end() == 0
    assert "ended with code" not in running.printed
    ledger.close(f"{cuts} cuts of all connections to Redis")


@pytest.mark.parametrize("who", ["worker", pytest.param("supervisor", marks=long), "all"])
def test_kills_of_those_who_read_from_redis_lose_nothing(
    on_redis: RedisLedger, scale: Scale, who: str
) -> None:
    ledger, chance = on_redis, random.Random(4)
    client, _ = lab(ledger)
    ledger.configure(consumer=", concurrency: 4, workers: 2, crashes: 1000")
    running = client.run()
    kills = scale(3, 30)
    for _ in range(kills):
        ledger.mixture(scale(100, 300))
        ledger.wait_for_share(running, chance.uniform(0.4, 0.9))
        running = killed(ledger, running, who)
    ledger.wait(running, 240)

    assert running.end() == 0
    ledger.close(f"kill -9 of {who} at Redis, {kills} times")


def killed(ledger: RedisLedger, running: Running, who: str) -> Running:
    """Kill a worker, its supervisor, or all there are; start again what nobody else does."""
    eventually(lambda: any(map(alive, workers(running))), 120, lambda: running.printed[-6000:])
    if who == "worker":
        os.kill(next(filter(alive, workers(running))), signal.SIGKILL)
        return running
    if who == "all":
        os.killpg(running.process.pid, signal.SIGKILL)
    else:
        os.kill(running.process.pid, signal.SIGKILL)
    running.process.wait(30)
    eventually(lambda: not any(map(alive, workers(running))), 60, lambda: running.printed)
    return ledger.lab.run()


SENTINELS = """
    brokers:
      main:
        protocol: redis
        sentinel: {{service: main, hosts: {hosts}}}
        require: {{replicas: 1, wait: 1s}}
        lease: 5s
        timeout: 2s
    queues: [{{name: jobs}}]
    consumers: [{{type: jobs, queues: [jobs], concurrency: 4}}]
    health: {{enabled: false}}
    processes: {{stateFolder: {state}, shutdownGrace: 5s}}
"""


def test_a_failover_under_a_run_loses_nothing(
    site: Site, redis_sentinels: RedisSentinels, tmp_path: Path
) -> None:
    site.install("lab-pacer", PLUGIN)
    hosts = json.dumps(redis_sentinels.hosts)
    file = site.write(SENTINELS.format(hosts=hosts, state=tmp_path / "state"))
    config, names = load(file), {f"m{number}" for number in range(300)}
    with closing(connect(config.broker, "test")) as connection:
        declare(connection, config)
    with closing(Publisher(config.broker)) as publisher:
        bodies = [{"name": name, "first": "sleep 0.02", "second": "once retry"} for name in sorted(names)]
        publisher.publish([Outgoing("", "jobs", json.dumps(body).encode()) for body in bodies])

    def done(task: str, attempt: int) -> set[str]:
        found = site.folder / "effects"
        words = [line.split() for line in found.read_text().splitlines()] if found.exists() else []
        return {one[1] for one in words if len(one) > 2 and one[0] == task and int(one[2]) >= attempt}

    running = site.start("run", "-c", file)
    eventually(lambda: len(done("other", 1)) > 60, 90, lambda: running.printed[-4000:])
    old = redis_sentinels.master
    old.kill()
    eventually(lambda: redis_sentinels.master is not old, 90)
    old.start()

    eventually(lambda: done("other", 1) == names == done("second", 2), 200, lambda: running.printed[-4000:])
    assert running.end() == 0
