"""The same commands on a broker that needs no server: in memory for one process, in a file for several."""

from contextlib import closing
from pathlib import Path

import pytest

from pacer_core.config import load
from pacer_core.transport.connection import connect
from pacer_core.transport.dead_queues import look
from pacer_core.transport.outgoing import Outgoing, UnroutableError, UnsendableError
from pacer_core.transport.publish import Publisher
from pacer_core.transport.topology import declare
from tests.lab import PLUGIN
from tests.support import Site, eventually

CONFIG = """
    brokers: {{main: {{protocol: {protocol}{path}}}}}
    exchanges: [{{name: work, type: topic}}]
    queues: [{{name: {queue}, exchange: work, routingKey: "{queue}.#"}}, {{name: {queue}-children}}]
    consumers:
      - {{type: jobs, queues: [{queue}], concurrency: 4}}
      - {{type: follow-ups, queues: [{queue}-children]}}
    processes: {{stateFolder: {state}}}
"""


@pytest.fixture(params=["memory", "sqlite"])
def file(request: pytest.FixtureRequest, site: Site, tmp_path: Path) -> Path:
    """A configuration for an embedded broker; one in memory is shared by all tests of this process."""
    site.install("lab-pacer", PLUGIN)
    path = f", path: {tmp_path / 'broker.db'}" if request.param == "sqlite" else ""
    return site.write(
        CONFIG.format(protocol=request.param, path=path, queue=tmp_path.name, state=tmp_path / "state")
    )


def publish(file: Path, *bodies: bytes) -> None:
    """Publish messages from this process, where the memory is."""
    config = load(file)
    with closing(connect(config.broker, "test")) as connection:
        declare(connection, config)
    with closing(Publisher(config.broker)) as publisher:
        publisher.publish([Outgoing("work", f"{config.queues[0].name}.new", body) for body in bodies])


def effects(site: Site) -> list[str]:
    """Give what the tasks have done."""
    found = site.folder / "effects"
    return found.read_text().splitlines() if found.exists() else []


def test_a_single_run_brings_every_message_to_its_end(site: Site, file: Path) -> None:
    bad = b'{"number": "x"}'
    publish(file, b'{"name": "a", "first": "emit follow-ups"}', bad, b'{"name": "b", "second": "reject"}')
    done = site.pacer("run", "--once", "-c", file)
    assert (done.code, done.out) == (1, "2 done, 2 dead, 0 waiting for a retry\n")
    assert {"second a 1", "other a 1", "other b 1"} <= set(effects(site))
    assert any(line.startswith("follow a-child ") for line in effects(site))
    config = load(file)
    with closing(connect(config.broker, "test")) as connection:
        letters = {
            letter.envelope.body: letter for letter in look(connection, f"{config.queues[0].name}.dead")
        }
    assert letters[bad].fields == ("name: is missing", "number: is not a whole number")
    assert len(letters) == 2
    assert site.pacer("run", "--once", "-c", file).out == "0 done, 0 dead, 0 waiting for a retry\n"


def test_a_file_is_sent_by_one_process_and_handled_by_others(site: Site, tmp_path: Path) -> None:
    site.install("lab-pacer", PLUGIN)
    file = site.write(
        CONFIG.format(
            protocol="sqlite",
            path=f", path: {tmp_path / 'broker.db'}",
            queue="jobs",
            state=tmp_path / "state",
        )
    )
    body = site.write('{"name": "a", "first": "once retry"}', "job.json")
    assert site.pacer("send", "-c", file, "-n", "jobs", body).code == 0
    running = site.start("run", "-c", file)
    eventually(lambda: "second a 2" in effects(site), what=lambda: running.printed)
    assert running.end() == 0


def test_a_run_on_a_broker_in_memory_stays_in_its_process_and_can_be_stopped(site: Site) -> None:
    site.install("lab-pacer", PLUGIN)
    file = site.write(CONFIG.format(protocol="memory", path="", queue="jobs", state=site.folder / "state"))
    running = site.start("run", "-c", file)
    running.wait_for("reading jobs")
    assert running.end() == 0
    assert "started with process id" not in running.printed


@pytest.mark.parametrize("file", ["sqlite"], indirect=True)
def test_a_broker_that_is_removed_under_a_run_is_opened_anew(site: Site, file: Path, tmp_path: Path) -> None:
    file.write_text(file.read_text() + "health: {enabled: false}\n")
    running = site.start("run", "-c", file)
    running.wait_for(f"reading {tmp_path.name}")
    for one in tmp_path.glob("broker.db*"):
        one.unlink()
    publish(file, b'{"name": "a", "other": "once retry"}')
    eventually(lambda: "other a 2" in effects(site), 60, lambda: running.printed)

    assert running.end() == 0


def test_what_an_embedded_broker_does_not_take_keeps_no_other_message_back(file: Path) -> None:
    publish(file)
    config = load(file)
    (queue, _) = (one.name for one in config.queues)
    good = [Outgoing("", queue, b"%d" % number) for number in range(4)]
    odd = Outgoing("", queue, b"odd", headers={"what": object()})
    messages = [
        good[0],
        Outgoing("nowhere", "a", b"x"),
        good[1],
        odd,
        Outgoing("", "nobody", b"x"),
        *good[2:],
    ]
    with closing(Publisher(config.broker)) as publisher:
        said = publisher.publish_each(messages)
    assert [type(one) for one in said if one is not None] == [
        UnroutableError,
        UnsendableError,
        UnroutableError,
    ]
    with closing(connect(config.broker, "test")) as connection:
        channel = connection.channel()
        there = []
        while (message := channel.basic_get(queue, no_ack=True)) is not None:
            there.append(bytes(message.body))
    assert there == [one.body for one in good]
