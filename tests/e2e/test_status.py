"""``pacer status``: the broker and its queues in one screen."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import orjson
import pytest

from pacer_core.config import load
from pacer_core.transport.connection import connect
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.topology import declare
from tests.services import RabbitMQ
from tests.services.base import free_port
from tests.support import Site, eventually

CONFIG = """
    brokers:
      main: {{host: 127.0.0.1, port: {port}, username: guest, password: guest, vHost: {vhost}}}
    queues: [{{name: samples}}, {{name: parcels}}]
    consumers: [{{type: forward, name: couriers, queues: [parcels, samples]}}]
"""


@pytest.fixture
def file(site: Site, rabbitmq: RabbitMQ, rabbitmq_vhost: str) -> Path:
    """A configuration for a virtual host on which nothing is declared yet."""
    return site.write(CONFIG.format(port=rabbitmq.port, vhost=rabbitmq_vhost))


def test_the_status_tells_what_waits_what_is_retried_and_what_is_dead(site: Site, file: Path) -> None:
    config = load(file)
    with (
        closing(connect(config.broker, "test")) as connection,
        closing(Publisher(config.broker)) as publisher,
    ):
        declare(connection, config)
        connection.channel().basic_consume(queue="parcels", callback=print)
        for exchange, key, count in (
            ("", "samples", 1200),
            ("", "samples.dead", 2),
            ("pacer.retry.300s", "samples", 3),
            ("pacer.retry.3600s", "parcels", 1),
        ):
            publisher.publish([Outgoing(exchange, key, b"{}")] * count)
        done = site.pacer("status", "-c", file)
        data = orjson.loads(site.pacer("status", "-c", file, "--json").out)
    assert done.code == 0
    rows = [row.split() for row in done.out.splitlines()]
    assert ["samples", "couriers", "1,200", "-", "0", "2"] in rows
    assert ["parcels", "couriers", "0", "-", "1", "0"] in rows
    assert done.out.startswith("up  RabbitMQ ")
    assert "4 messages wait for a retry: 3 for 5 min, 1 for 1 h" in done.out
    assert f"2 messages are dead: `pacer dead list -c {file}` tells why" in done.out
    assert data["broker"]["reachable"] is True
    assert data["broker"]["product"] == "RabbitMQ"
    assert data["totals"] == {"ready": 1200, "in_hand": None, "waiting": 4, "dead": 2}
    assert data["queues"][0] == {
        "name": "samples", "consumers": ["couriers"], "ready": 1200, "in_hand": None,
        "readers": 0, "dead": 2,
    }  # fmt: skip
    assert {"seconds": 300, "waiting": 3} in data["retries"]


def test_the_status_declares_nothing_and_says_what_is_missing(site: Site, file: Path) -> None:
    for _ in range(2):
        done = site.pacer("status", "-c", file)
        assert done.code == 0
        assert f"not declared yet: samples, parcels; `pacer run -c {file}` does" in done.out
    assert orjson.loads(site.pacer("status", "-c", file, "--json").out)["queues"][0]["ready"] is None
    empty = site.pacer("dead", "list", "-c", file)
    assert (empty.code, empty.out) == (0, "no dead letters\n")


def test_a_run_of_this_configuration_is_shown_and_one_of_another_is_not(site: Site, tmp_path: Path) -> None:
    text = f"""
        brokers: {{main: {{protocol: sqlite, path: {tmp_path / "broker.db"}}}}}
        queues: [{{name: samples}}]
        consumers: [{{type: forward, queues: [samples], workers: 2}}]
        processes: {{stateFolder: {tmp_path / "state"}}}
        health: {{port: {free_port()}}}
    """
    file, other = site.write(text), site.write(text, "other.yaml")
    running = site.start("run", "-c", file)
    eventually(lambda: running.printed.count("reading samples") == 2, what=lambda: running.printed)
    done = site.pacer("status", "-c", file)
    assert done.out.startswith("up  embedded broker on SQLite 3.")
    assert f"process {running.process.pid}, 2 workers" in done.out
    assert "pacer doctor" not in done.out
    rows = [row.split() for row in done.out.splitlines()]
    assert [row[0] for row in rows if row[1:2] == ["reading"]] == ["forward-1", "forward-2"]
    data = orjson.loads(site.pacer("status", "-c", file, "--json").out)
    assert data["broker"]["product"] == "embedded broker on SQLite"
    assert data["supervisor"]["pid"] == running.process.pid
    assert {worker["state"] for worker in data["supervisor"]["workers"]} == {"reading"}
    assert "no `pacer run` of this configuration answers" in site.pacer("status", "-c", other).out
    assert orjson.loads(site.pacer("status", "-c", other, "--json").out)["supervisor"] is None
    assert running.end() == 0


def test_a_broker_that_does_not_answer_is_an_error_without_its_password(site: Site) -> None:
    port = free_port()
    file = site.write(CONFIG.format(port=port, vhost="x").replace("password: guest", "password: s3cr3t-word"))
    done = site.pacer("status", "-c", file)
    assert (done.code, f"cannot connect to amqp://127.0.0.1:{port}/x" in done.err) == (69, True)
    assert f"\n`pacer doctor -c {file}` says what is wrong, and what to do\n" in done.err
    as_json = site.pacer("status", "-c", file, "--json")
    assert as_json.code == 69
    assert orjson.loads(as_json.out)["broker"]["reachable"] is False
    assert "s3cr3t-word" not in done.both + as_json.both


@pytest.mark.parametrize("command", [["status"], ["dead", "list"]])
def test_an_in_memory_broker_has_nothing_to_show_to_another_process(site: Site, command: list[str]) -> None:
    file = site.write("""
        brokers: {main: {protocol: memory}}
        queues: [{name: samples}]
        consumers: [{type: forward, queues: [samples]}]
    """)
    done = site.pacer(*command, "-c", file)
    assert (done.code, "seen by one process only" in done.err) == (69, True)
