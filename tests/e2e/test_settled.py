"""Plugins hear what became of each message, and neither change nor delay it."""

from __future__ import annotations

import json
import os
import signal
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pacer_core.config import load
from pacer_core.observe.health import Roster
from pacer_core.observe.health.prometheus import exposition
from pacer_core.transport.connection import connect
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.topology import declare
from pacer_core.work import notifier
from pacer_core.work.worker import Worker
from tests.lab import PLUGIN, Lab
from tests.support import Site, eventually

LISTENER = """
    import json
    import time
    from contextlib import contextmanager
    from pathlib import Path
    from attrs import frozen
    from pacer_core import IntegrationType, hookimpl

    HERE = Path(__file__).parent.parent

    @frozen
    class DiaryOptions:
        word: str = "dear diary"

    @contextmanager
    def open_diary(options):
        yield options.word
        with (HERE / "heard").open("a") as file:
            file.write(json.dumps({"word": "closed"}) + "\\n")

    DIARY = IntegrationType(name="diary", options=DiaryOptions, open=open_diary)

    @hookimpl
    def pacer_integrations():
        yield DIARY

    @hookimpl
    def pacer_message_settled(delivery, ctx):
        job = json.loads(delivery.envelope.body)
        if job["name"] == "publish":
            ctx.publish("", "records", b"one", b"two")
        if job["name"] == "break":
            raise ValueError(job["other"])
        while job["name"] == "gate" and not (HERE / "gate").exists():
            time.sleep(0.01)
        with (HERE / "heard").open("a") as file:
            file.write(json.dumps({
                "name": job["name"],
                "outcome": delivery.outcome.value,
                "consumer": delivery.consumer,
                "type": ctx.type,
                "attempt": delivery.envelope.attempt,
                "timed": sorted(delivery.timings),
                "error": delivery.error,
                "word": ctx[DIARY] if DIARY in ctx else None,
                "folder": str(ctx.folder),
            }) + "\\n")
        if job["name"] == "wait":
            (HERE / "waits").touch()
            time.sleep(600)
        return job["name"] != "enough"
"""
OTHER = """
    from pathlib import Path
    from pacer_core import hookimpl

    @hookimpl
    def pacer_message_settled(delivery):
        with (Path(__file__).parent.parent / "other").open("a") as file:
            file.write(f"{delivery.outcome.value}\\n")
"""
CONFIG = """
    brokers: {{main: {{protocol: memory}}}}
    queues: [{{name: {queue}}}]
    consumers:
      - {{type: jobs, name: work, queues: [{queue}], concurrency: 2, integrations: [{enabled}]}}
    integrations: {{diary: {{word: hello}}}}
    processes: {{stateFolder: {state}}}
"""


@pytest.fixture
def file(site: Site, tmp_path: Path) -> Path:
    """A configuration for a broker in memory, with a plugin that listens."""
    site.install("lab-pacer", PLUGIN)
    site.install("listening-pacer", LISTENER)
    return configure(site, tmp_path, "diary")


def configure(site: Site, tmp_path: Path, enabled: str = "") -> Path:
    return site.write(CONFIG.format(queue=tmp_path.name, state=tmp_path / "state", enabled=enabled))


def publish(file: Path, *jobs: dict[str, Any]) -> None:
    config = load(file)
    with closing(connect(config.broker, "test")) as connection:
        declare(connection, config)
    with closing(Publisher(config.broker)) as publisher:
        publisher.publish([Outgoing("", config.queues[0].name, json.dumps(job).encode()) for job in jobs])


def heard(site: Site) -> list[dict[str, Any]]:
    found = site.folder / "heard"
    return [json.loads(line) for line in found.read_text().splitlines()] if found.exists() else []


def test_a_plugin_hears_of_every_message_however_it_ended(site: Site, file: Path, tmp_path: Path) -> None:
    publish(file, {"name": "a"}, {"name": "b", "first": "once retry"}, {"name": "c", "second": "reject"})
    assert site.pacer("run", "--once", "--wait", "-c", file).code == 1
    told = {(one["name"], one["attempt"]): one for one in heard(site)[:-1]}
    assert len(told) == 4
    assert told["a", 1] == {
        "name": "a",
        "outcome": "acked",
        "consumer": "work",
        "type": "jobs",
        "attempt": 1,
        "timed": ["first", "other", "second"],
        "error": None,
        "word": "hello",
        "folder": str(tmp_path / "state"),
    }
    assert (told["b", 1]["outcome"], told["b", 1]["error"]) == ("retried", "first: try again")
    assert (told["b", 2]["outcome"], told["b", 2]["timed"]) == ("acked", ["first", "second"])
    assert (told["c", 1]["outcome"], told["c", 1]["error"]) == ("dead", "second: bad")


def test_what_a_plugin_has_opened_is_closed_after_it_has_heard_everything(site: Site, file: Path) -> None:
    publish(file, *({"name": str(number)} for number in range(50)))
    site.pacer("run", "--once", "-c", file)
    assert len(heard(site)) == 51
    assert heard(site)[-1] == {"word": "closed"}


def test_an_integration_is_there_only_where_the_consumer_enables_it(
    site: Site, file: Path, tmp_path: Path
) -> None:
    configure(site, tmp_path, "")
    publish(file, {"name": "a"})
    site.pacer("run", "--once", "-c", file)
    assert [one["word"] for one in heard(site)] == [None]


def test_a_plugin_that_fails_harms_neither_messages_nor_other_plugins(site: Site, file: Path) -> None:
    site.install("other-pacer", OTHER)
    publish(file, *[{"name": "break", "other": "Ada Lovelace"}] * 2, {"name": "a"})
    done = site.pacer("run", "--once", "-c", file)
    assert (done.code, done.out) == (0, "3 done, 0 dead, 0 waiting for a retry\n")
    assert [one.get("name") for one in heard(site)] == ["a", None]
    assert (site.folder / "other").read_text().split() == ["acked"] * 3
    assert "plugin listening_pacer failed after 1 message" in done.err
    assert "ValueError at listening_pacer.plugin" in done.err
    assert "Ada" not in done.err


def test_a_plugin_that_is_stuck_delays_nothing_and_what_it_misses_is_counted(
    site: Site, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifier, "MOST", 3)
    monkeypatch.setattr(notifier, "GRACE", 0.1)
    publish(file, *[{"name": "gate"}] * 10)
    config = load(file)
    worker = Worker(config, config.consumers)
    assert worker.run(once=True).total() == 10
    assert heard(site) == []
    (site.folder / "gate").touch()
    for thread in threading.enumerate():
        if thread.name == "settled-listening_pacer":
            thread.join(30)
    lost = worker.board.look().numbers["lost", "listening_pacer"]
    assert lost >= 6  # three wait and one is in hand at most
    assert lost + len(heard(site)) == 10


def _until_settled(worker: Worker, messages: int) -> None:
    eventually(lambda: worker.outcomes.total() == messages)


def test_a_plugin_that_has_heard_enough_of_a_consumer_hears_no_more(site: Site, file: Path) -> None:
    publish(file, {"name": "enough"})
    config = load(file)
    worker = Worker(config, config.consumers)
    thread = threading.Thread(target=worker.run)
    thread.start()
    eventually(lambda: len(heard(site)) == 1)
    # The first one may be told before the answer to the one before is there.
    for number in range(3):
        publish(file, {"name": str(number)})
        _until_settled(worker, number + 2)
    worker.stop()
    thread.join(30)
    assert "2" not in [one.get("name") for one in heard(site)]
    assert worker.board.look().numbers["lost", "listening_pacer"] == 0


def test_the_metrics_count_what_a_plugin_missed(file: Path) -> None:
    config = load(file)
    worker = Worker(config, config.consumers)
    worker.board.lost("listening_pacer", 2)
    roster = Roster()
    roster.add("work-0", worker.board.look)
    text, _ = exposition(roster.workers(), None, "")
    assert b'pacer_settled_lost_total{plugin="listening_pacer"} 2.0' in text


def test_a_plugin_publishes_at_the_broker(lab: Lab) -> None:
    lab.site.install("listening-pacer", LISTENER)
    lab.declare()
    lab.channel.queue_declare("records", durable=True, auto_delete=False)
    lab.publish({"name": "publish"})
    assert lab.once().code == 0
    records = lab.take("records")
    assert [record.body for record in records] == [b"one", b"two"]
    assert records[0].properties["content_type"] == "application/json"
    assert records[0].properties["delivery_mode"] == 2


def test_a_plugin_that_publishes_to_nobody_is_told(lab: Lab) -> None:
    lab.site.install("listening-pacer", LISTENER)
    lab.declare()
    lab.publish({"name": "publish"})
    done = lab.once()
    assert done.code == 0
    assert "no queue takes messages of exchange '(default)' with routing key 'records'" in done.err


def test_a_plugin_hears_of_a_message_when_the_broker_has_been_answered(lab: Lab) -> None:
    lab.site.install("listening-pacer", LISTENER)
    running = lab.run()
    lab.publish({"name": "wait"})
    eventually((lab.site.folder / "waits").exists)
    os.killpg(running.process.pid, signal.SIGKILL)
    running.process.wait()
    assert lab.once().out == "0 done, 0 dead, 0 waiting for a retry\n"


def test_where_nobody_listens_there_is_no_thread(site: Site, tmp_path: Path) -> None:
    """pacer-pacifica hears of its own consumer types, and this one of a type that nobody consumes here."""
    site.install("lab-pacer", PLUGIN)
    site.install("other-pacer", OTHER.replace("import hookimpl", "import hears, hookimpl").replace(
        "@hookimpl", '@hookimpl\n    @hears("parcels")'
    ))  # fmt: skip
    site.write(
        f"""
        brokers: {{main: {{protocol: memory}}}}
        queues: [{{name: {tmp_path.name}}}]
        consumers: [{{type: jobs, queues: [{tmp_path.name}]}}]
        plugins: {{block: [dashboard_log]}}
        """
    )
    file = site.folder / "pacer.yaml"
    publish(file, {"name": "a"})
    config = load(file)
    worker = Worker(config, config.consumers)
    worker.run(once=True)
    assert not [one for one in threading.enumerate() if one.name.startswith("settled-")]
    assert worker.board.look().shape.listeners == ()
