"""The commands of the how-to guides do what they are there for."""

import shlex
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pacer_core import BadField, Delivery, Envelope, Outcome
from pacer_core.config import load
from pacer_core.model.messages import TaskFailure
from pacer_core.transport.connection import connect
from pacer_core.transport.copies import copy_headers, dead_headers
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.queue_status import depth
from pacer_core.transport.topology import declare
from tests.docs.pages import ROOT, blocks, commands
from tests.services import RabbitMQ
from tests.support import Site

PAGE = ROOT / "docs/how-to/dead-queues.md"
QUEUE = "icat-dataset-ingest"
BODY = b'\xef\xbb\xbf{"name": ""}\r\n'
CONFIG = """
    brokers:
      main: {{host: 127.0.0.1, port: {port}, username: guest, password: guest, vHost: {vhost}}}
    queues: [{{name: {queue}}}]
    consumers: [{{type: forward, name: datasets, queues: [{queue}]}}]
"""


@pytest.fixture
def file(site: Site, rabbitmq: RabbitMQ, rabbitmq_vhost: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a folder with a configuration."""
    monkeypatch.chdir(site.folder)
    return site.write(CONFIG.format(port=rabbitmq.port, vhost=rabbitmq_vhost, queue=QUEUE))


def begin(file: Path) -> None:
    """Leave one dead letter at the broker, and nothing else."""
    config = load(file)
    envelope = Envelope(
        BODY, QUEUE, headers={"beamline": "bl06"}, correlation_id="30a8-77", first_seen=datetime.now(UTC)
    )
    failure = TaskFailure("parse", "reject", "bad", fields=(BadField("name", "is empty"),))
    delivery = Delivery(envelope, "datasets", Outcome.DEAD, failures=(failure,))
    headers = dead_headers(delivery, 0, "parse: the message has bad fields")
    properties = {"content_type": "application/json"}
    publisher = Publisher(config.broker)
    with closing(connect(config.broker, "test")) as connection, closing(publisher):
        declare(connection, config)
        for queue in (QUEUE, f"{QUEUE}.dead"):
            connection.channel().queue_purge(queue=queue)
        publisher.publish([Outgoing("", f"{QUEUE}.dead", BODY, headers, properties)])


def begin_waiting(file: Path) -> None:
    """Leave one copy on the ladder, and nothing else."""
    config = load(file)
    envelope = Envelope(BODY, QUEUE, correlation_id="30a8-77", first_seen=datetime.now(UTC))
    reason = "ICAT has no investigation '20250330096' with visit '1'"
    failures = (TaskFailure("store", "not-yet", reason),)
    delivery = Delivery(
        envelope, "datasets", Outcome.RETRIED, failures=failures, description={"proposal": "20250330096"}
    )
    with (
        closing(connect(config.broker, "test")) as connection,
        closing(Publisher(config.broker)) as publisher,
    ):
        declare(connection, config)
        for queue in (QUEUE, "pacer.retry.900s"):
            connection.channel().queue_purge(queue=queue)
        publisher.publish([Outgoing("pacer.retry.900s", QUEUE, BODY, copy_headers(delivery, 0))])


def follow(page: Path, site: Site, file: Path, begin: Callable[[Path], None]) -> list[list[str]]:
    """Run the commands of a page, each block from the beginning; what they print is what it shows."""
    ran = []
    for block in blocks(page):
        if block.language != "console":
            continue
        begin(file)
        for command in commands(block):
            program, *arguments = shlex.split(command.text)
            assert program == "pacer"
            done = site.pacer(*arguments)
            assert done.code == 0, done.both
            lines = iter(done.out.splitlines())
            for wanted in command.output.splitlines():
                start = wanted.removesuffix("...").strip()
                assert any(line.strip().startswith(start) for line in lines), (command, done.out)
            ran.append(arguments[:2])
    return ran


def test_the_commands_of_the_guide_to_what_waits_print_what_it_shows(site: Site, file: Path) -> None:
    ran = follow(ROOT / "docs/how-to/waiting.md", site, file, begin_waiting)
    assert [command[-1] for command in ran] == ["list", "show", "now", "now", "discard"]


def test_the_commands_of_the_guide_to_dead_queues_print_what_it_shows(site: Site, file: Path) -> None:
    ran = follow(PAGE, site, file, begin)
    assert [command[-1] for command in ran] == [
        *("list", "show", "replay", "replay", "export", "letters", "discard"),
    ]
    config = load(file)
    with closing(connect(config.broker, "test")) as connection:
        assert (depth(connection, QUEUE), depth(connection, f"{QUEUE}.dead")) == (0, 0)
    (body,) = Path("letters").glob("*.json")
    assert body.read_bytes() == BODY
