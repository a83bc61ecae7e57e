"""A key space with partitions, seen from outside: its messages, its letters, its status, its change."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pacer_core import BrokerError
from tests.at_length import long
from tests.lab import Lab
from tests.services import RabbitMQ, Redis
from tests.support import Site, eventually

PLUGIN = """
    import os, time
    from pathlib import Path
    from attrs import frozen
    from pacer_core import ConsumerType, Key, Reject, Retry, hookimpl, task

    HERE = Path(__file__).parent.parent

    @frozen
    class Step:
        key: str
        number: int = 0
        does: str = ""

    @task
    def walk(step, ctx):
        if step.does == "reject":
            raise Reject("bad")
        if step.does.isdigit() and ctx.envelope.attempt == 1:
            raise Retry("not now", after=float(step.does))
        with open(HERE / "effects", "a") as file:
            file.write(f"{step.key} {step.number} {ctx.envelope.attempt} {ctx.envelope.queue}\\n")

    @hookimpl
    def pacer_consumers():
        key = Key("path", of=lambda step, ctx: step.key or None, ordered=True)
        yield ConsumerType(name="steps", message=Step, tasks=[walk], key=key)
        yield ConsumerType(name="leaps", message=Step, tasks=[walk], key=key)
"""
CONFIG = """
    brokers: {{main: {broker}}}
    queues: [{{name: steps}}, {{name: leaps}}]
    consumers:
      - {{type: steps, queues: [steps]}}
      - {{type: leaps, queues: [leaps]}}
    {spaces}
    health: {{enabled: false}}
    processes: {{stateFolder: {state}{more}}}
"""
Configure = Callable[..., Path]


BROKERS = ["rabbitmq", "embedded", "redis"]
each_broker = pytest.mark.parametrize("configure", BROKERS, indirect=True)
"""Tests of what a transport does; the others run on RabbitMQ alone, but for the long form."""


@pytest.fixture(params=[BROKERS[0], *(pytest.param(one, marks=long) for one in BROKERS[1:])])
def configure(request: pytest.FixtureRequest, site: Site, tmp_path: Path) -> Configure:
    """Write a configuration with so many partitions, for a broker of each kind."""
    site.install("path-pacer", PLUGIN)
    if request.param == "embedded":
        broker = f"{{protocol: sqlite, path: {tmp_path / 'broker.sqlite'}}}"
    elif request.param == "redis":
        server: Redis = request.getfixturevalue("redis_server")
        broker = f"{{protocol: redis, host: 127.0.0.1, port: {server.port}, prefix: {tmp_path.name}}}"
    else:
        node: RabbitMQ = request.getfixturevalue("rabbitmq")
        vhost = request.getfixturevalue("rabbitmq_vhost")
        broker = f'{{host: 127.0.0.1, port: {node.port}, vHost: "{vhost}"}}'

    def write(partitions: int | None = 4, *, name: str = "pacer.yaml", more: str = "") -> Path:
        spaces = "" if partitions is None else f"keySpaces: [{{name: path, partitions: {partitions}}}]"
        text = CONFIG.format(broker=broker, spaces=spaces, state=tmp_path / f"state-{name}", more=more)
        return site.write(text, name)

    return write


def send(site: Site, config: Path, *steps: Mapping[str, object], to: str = "steps") -> None:
    folder = site.folder / "bodies"
    folder.mkdir(exist_ok=True)
    files = []
    for number, step in enumerate(steps):
        (folder / f"{number}.json").write_text(json.dumps(step))
        files.append(folder / f"{number}.json")
    assert site.pacer("send", "-c", config, "-n", to, *files).code == 0


def effects(site: Site) -> list[tuple[str, int, int, str]]:
    file = site.folder / "effects"
    words = [line.split(" ") for line in file.read_text().splitlines()] if file.exists() else []
    return [(key, int(number), int(attempt), queue) for key, number, attempt, queue in words]


@each_broker
def test_messages_of_all_consumers_go_through_the_partitions_in_order(
    site: Site, configure: Configure
) -> None:
    config = configure()
    steps: list[dict[str, object]] = [
        {"key": f"k{number % 7}", "number": number // 7} for number in range(70)
    ]
    send(site, config, *steps)
    send(site, config, {"key": "k0", "number": 10}, {"key": ""}, to="leaps")
    ran = site.pacer("run", "--once", "-c", config)
    assert ran.out.startswith("72 done, 0 dead")
    by_key: dict[str, list[int]] = defaultdict(list)
    for key, number, _, queue in effects(site):
        if queue == "steps":
            by_key[key].append(number)
    assert by_key == {f"k{key}": list(range(10)) for key in range(7)}
    assert ("k0", 10, 1, "leaps") in effects(site)


def test_a_retry_goes_back_to_its_partition(site: Site, configure: Configure) -> None:
    config = configure()
    send(site, config, {"key": "a", "does": "5"})
    assert site.pacer("run", "--once", "-c", config).out.startswith("0 done, 0 dead, 1 waiting")
    shown = site.pacer("partitions", "show", "-c", config).out
    assert shown.startswith("path: 4 partitions")
    assert sorted(line.split()[-1] for line in shown.splitlines()[2:]) == ["0", "0", "0", "1"]
    assert site.pacer("run", "--once", "--wait", "-c", config).out.startswith("1 done, 0 dead")
    assert effects(site) == [("a", 0, 2, "steps")]


def test_what_is_dead_is_in_the_dead_queue_of_its_consumer_and_is_replayed_from_there(
    site: Site, configure: Configure
) -> None:
    config = configure()
    send(site, config, {"key": "a", "does": "reject"}, {"no": "step"})
    assert site.pacer("run", "--once", "-c", config).out.startswith("0 done, 2 dead")
    letters = json.loads(site.pacer("dead", "list", "--json", "-c", config).out)
    assert {one["queue"] for one in letters["letters"]} == {"steps.dead"}
    assert site.pacer("dead", "replay", "--all", "--yes", "-c", config).code == 0
    assert site.pacer("run", "--once", "-c", config).out.startswith("0 done, 2 dead")


def test_who_publishes_to_a_partition_itself_has_its_message_dead_beside_it(lab: Lab, site: Site) -> None:
    site.install("path-pacer", PLUGIN)
    broker = f'{{host: 127.0.0.1, port: {lab.node.port}, vHost: "{lab.vhost}"}}'
    spaces = "keySpaces: [{name: path, partitions: 2, queue: ways}]"
    text = CONFIG.format(broker=broker, spaces=spaces, state=site.folder / "state", more="")
    config = site.write(text, "ways.yaml")
    assert site.pacer("run", "--once", "-c", config).code == 0
    lab.publish({"key": "a"}, to="ways.1")
    told = {"x-pacer-version": 1, "x-pacer-partition": "ways.2", "x-pacer-queue": "elsewhere"}
    lab.publish({"key": "a"}, to="ways.2", headers=told)
    assert site.pacer("run", "--once", "-c", config).out.startswith("0 done, 2 dead")
    assert (lab.waiting("ways.1.dead"), lab.waiting("ways.2.dead")) == (1, 1)
    listed = site.pacer("dead", "list", "-c", config).out
    assert "publish to the queue of its consumer" in listed


def test_what_an_intake_with_another_key_has_signed_is_handled_as_new(
    site: Site, configure: Configure
) -> None:
    other = configure(name="other.yaml", more=", signingKeys: [another-key-of-another-host]")
    config = configure(more=", signingKeys: [the-key-of-this-very-host]")
    send(site, config, {"key": "a", "number": 1}, {"key": "b", "number": 2})
    from pacer_core.config import load
    from pacer_core.work.worker import Worker

    theirs = load(other)
    intake = Worker(theirs, theirs.consumers, queues=["steps", "leaps"])
    intake.run(once=True)
    assert intake.outcomes.total() == 0
    assert site.pacer("run", "--once", "-c", config).out.startswith("2 done, 0 dead")
    assert sorted(effects(site)) == [("a", 1, 1, "steps"), ("b", 2, 1, "steps")]


def test_what_is_in_partitions_waits_while_its_consumer_is_switched_off(
    site: Site, configure: Configure
) -> None:
    config = configure()
    send(site, config, {"key": "a", "number": 1})
    send(site, config, {"key": "a", "number": 2}, to="leaps")
    from pacer_core.config import load
    from pacer_core.work.worker import Worker

    both = load(config)
    Worker(both, both.consumers, queues=["steps", "leaps"]).run(once=True)
    on = config.read_text()
    config.write_text(on.replace("{type: leaps,", "{type: leaps, enabled: false,"))
    assert site.pacer("run", "--once", "-c", config).out.startswith("1 done, 0 dead, 1 waiting")
    assert "consumer 'leaps' is switched off" in site.pacer("waiting", "list", "-c", config).out
    config.write_text(on)
    assert site.pacer("waiting", "now", "--all", "--yes", "-c", config).code == 0
    assert site.pacer("run", "--once", "-c", config).out.startswith("1 done, 0 dead, 0 waiting")
    assert effects(site) == [("a", 1, 1, "steps"), ("a", 2, 2, "leaps")]


def test_another_number_than_the_brokers_is_an_error_that_says_what_to_do(
    site: Site, configure: Configure
) -> None:
    assert site.pacer("run", "--once", "-c", configure(4)).code == 0
    for partitions, said in ((8, "8 partitions"), (2, "2 partitions"), (None, "no partitions")):
        ran = site.pacer("run", "--once", "-c", configure(partitions))
        assert ran.code == 69
        assert "key space 'path' has 4 partitions at" in ran.both
        assert said in ran.both
        assert "`pacer partitions change path`" in ran.both


@each_broker
def test_the_number_of_partitions_is_changed_when_nothing_waits_in_them(
    site: Site, configure: Configure
) -> None:
    config = configure(4)
    send(site, config, {"key": "a", "does": "3600"})
    assert site.pacer("run", "--once", "-c", config).code == 2
    config = configure(6)
    refused = site.pacer("partitions", "change", "path", "--yes", "-c", config)
    assert refused.code == 1
    assert "`pacer waiting now --all`" in refused.err
    assert site.pacer("waiting", "now", "--all", "--yes", "-c", config).code == 0
    refused = site.pacer("partitions", "change", "path", "--yes", "-c", config)
    assert refused.code == 1
    assert "`pacer partitions drain path`" in refused.err
    drained = site.pacer("partitions", "drain", "path", "-c", config)
    assert drained.both.startswith("1 done, 0 dead, 0 waiting") or "1 done, 0 dead" in drained.both
    assert drained.code == 0
    changed = site.pacer("partitions", "change", "path", "--yes", "-c", config)
    assert changed.code == 0
    assert "are declared: pacer.keys.path.5, pacer.keys.path.6" in changed.out
    assert "there is nothing to change" in site.pacer("partitions", "change", "path", "-c", config).out
    send(site, config, *({"key": f"k{number}"} for number in range(20)))
    assert site.pacer("run", "--once", "-c", config).out.startswith("20 done")

    config = configure(None)
    changed = site.pacer("partitions", "change", "path", "--yes", "-c", config)
    assert changed.code == 0
    assert "are deleted" in changed.out
    send(site, config, {"key": "z"})
    assert site.pacer("run", "--once", "-c", config).out.startswith("1 done")


@pytest.mark.parametrize("wanted", [3, None])
def test_what_a_host_takes_in_that_is_started_while_the_number_is_changed_is_not_deleted(
    site: Site, configure: Configure, monkeypatch: pytest.MonkeyPatch, wanted: int | None
) -> None:
    from pacer_core.config import load
    from pacer_core.transport import partition_status
    from pacer_core.transport.connection import connect
    from pacer_core.transport.queue_status import depth
    from pacer_core.transport.topology import declare

    old = load(configure(4))
    new = load(configure(wanted, name="new.yaml"))
    look = partition_status.spread

    with closing(connect(old.broker, "test")) as connection, closing(connect(old.broker, "host")) as host:
        declare(host, old)
        found = look(connection, new, "path")

        def spread(*arguments: Any) -> partition_status.Spread:
            seen = look(*arguments)
            declare(host, old)  # a host is started just after the look
            host.default_channel.basic_publish(
                host.default_channel.prepare_message(b"a message"), routing_key="pacer.keys.path.4"
            )
            return seen

        monkeypatch.setattr(partition_status, "spread", spread)
        with pytest.raises(BrokerError):
            partition_status.change(connection, new, found)

        eventually(lambda: depth(host, "pacer.keys.path.4") == 1, 30)


def test_a_question_who_has_a_partition_waits_for_its_reader_and_is_not_repeated_meanwhile(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pacer_core.config import load
    from pacer_core.transport.connection import connect
    from pacer_core.transport.publish import Publisher
    from pacer_core.transport.queue_status import depth
    from pacer_core.transport.roll_call import holders
    from pacer_core.transport.topology import declare

    asked: list[Any] = []
    publish_each = Publisher.publish_each

    def publish(publisher: Publisher, messages: Any) -> Any:
        asked.extend(messages)
        return publish_each(publisher, messages)

    monkeypatch.setattr(Publisher, "publish_each", publish)
    config = load(configure(2))
    queues = config.key_spaces["path"].queues
    with closing(connect(config.broker, "test")) as connection:
        declare(connection, config)
        assert holders(connection, config, queues) == {}
        eventually(lambda: [depth(connection, queue) for queue in queues] == [1, 1])
        assert holders(connection, config, queues) == {}
    assert [one.routing_key for one in asked] == list(queues)
    assert all("expiration" not in one.properties for one in asked)  # it would be a dead letter with that


def test_partitions_whose_consumers_are_all_switched_off_are_not_drained(
    site: Site, configure: Configure
) -> None:
    config = configure(2)
    send(site, config, {"key": "a", "does": "3600"})
    assert site.pacer("run", "--once", "-c", config).code == 2
    config.write_text(config.read_text().replace("queues: [steps]", "enabled: false, queues: [steps]"))
    config.write_text(config.read_text().replace("queues: [leaps]", "enabled: false, queues: [leaps]"))
    drained = site.pacer("partitions", "drain", "path", "-c", config)
    assert drained.code == 1
    assert "'enabled: false'" in drained.err


@pytest.mark.parametrize("configure", ["rabbitmq"], indirect=True)
def test_on_rabbitmq_4_a_partition_goes_to_the_host_that_wants_it_most_and_on_3_to_the_first(
    configure: Configure,
) -> None:
    from pacer_core.config import load
    from pacer_core.transport.connection import connect, hang_up
    from pacer_core.transport.consume import Received, Subscription, Waker
    from pacer_core.transport.outgoing import Outgoing
    from pacer_core.transport.publish import Publisher
    from pacer_core.transport.topology import declare
    from pacer_core.work.intake import priorities

    config = load(configure(4))
    space = config.key_spaces["path"]
    wishes = {host: priorities([space], host) for host in ("host-1", "host-2", "host-4")}
    connections: dict[str, Any] = {}
    readers: dict[str, tuple[Subscription, list[Received], Waker]] = {}

    def come(host: str) -> None:
        connections[host] = connect(config.broker, host)
        declare(connections[host], config)
        got: list[Received] = []
        queues = [config.queue(queue) for queue in space.queues]
        subscription = Subscription(connections[host], queues, 1, got.append, priorities=wishes[host])
        readers[host] = subscription, got, Waker()

    def go(host: str) -> None:
        subscription, _, waker = readers.pop(host)
        subscription.close()
        hang_up(connections.pop(host))
        waker.close()

    def has() -> dict[str, str]:
        """Send a message through each partition; give which host has had which."""
        publisher.publish([Outgoing("", queue, b"{}") for queue in space.queues])
        found: dict[str, str] = {}
        while len(found) < 4:
            for host, (subscription, got, waker) in readers.items():
                subscription.poll(waker, 0.02)
                while got:
                    one = got.pop()
                    found[one.envelope.queue] = host
                    subscription.ack([one.tag])
        return found

    def wanted() -> dict[str, str]:
        first = next(iter(readers))
        return {
            queue: max(readers, key=lambda host: wishes[host][queue]) if spreads else first
            for queue in space.queues
        }

    with closing(Publisher(config.broker)) as publisher:
        come("host-1")
        version = connections["host-1"].connection.server_properties["version"]
        spreads = int(version.partition(".")[0]) >= 4
        assert has() == wanted()
        for host in ("host-2", "host-4"):
            come(host)
            assert set(wanted().values()) == (set(readers) if spreads else {"host-1"})
            eventually(lambda: has() == wanted(), 30)
        go("host-1")
        eventually(lambda: has() == wanted(), 30)
        for host in list(readers):
            go(host)


def test_who_cannot_say_which_partition_it_has_goes_on_with_everything_else(
    site: Site, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pacer_core.config import load
    from pacer_core.model.messages import Outcome
    from pacer_core.observe.board import Board
    from pacer_core.work.presence import Presence
    from pacer_core.work.worker import Worker

    stuck, shown, gate = threading.Event(), threading.Event(), threading.Event()
    gauges = Board.gauges

    def show(board: Board, *arguments: Any) -> None:
        gauges(board, *arguments)
        if stuck.is_set():
            shown.set()

    def tell(_: Presence) -> None:  # a queue without its majority confirms nothing for half a minute
        stuck.set()
        gate.wait()

    monkeypatch.setattr(Presence, "_tell", tell)
    monkeypatch.setattr(Board, "gauges", show)
    config = load(configure(2))
    send(site, Path(config.file), {"key": "a", "number": 1}, {"key": "b", "number": 2})
    worker = Worker(config, config.consumers)
    running = threading.Thread(target=worker.run)
    running.start()
    try:
        assert shown.wait(30)
        eventually(lambda: worker.outcomes[Outcome.ACKED] == 2, 30)
    finally:
        worker.stop()
        running.join(30)
        gate.set()
    assert not running.is_alive()


@each_broker
def test_status_says_who_has_which_partition_and_a_change_is_refused_while_somebody_reads(
    site: Site, configure: Configure
) -> None:
    config = configure(2)
    running = site.start("run", "-c", config)
    eventually(lambda: running.printed.count("reading ") == 3, 60, lambda: running.printed)
    found = json.loads(site.pacer("status", "--json", "-c", config).out)
    processes = [one["holder"]["pid"] for one in found["partitions"]]
    assert [one["queue"] for one in found["partitions"]] == ["pacer.keys.path.1", "pacer.keys.path.2"]
    assert len(set(processes)) == 2
    assert all(f"process id {pid}" in running.printed for pid in processes)
    assert f"process {processes[0]}" in site.pacer("status", "-c", config).out
    refused = site.pacer("partitions", "change", "path", "--yes", "-c", configure(3, name="three.yaml"))
    assert refused.code == 1
    assert "somebody reads" in refused.err
    assert running.end() == 0
