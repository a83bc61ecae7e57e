"""ESRF's own client, unmodified, by way of RabbitMQ's STOMP plugin and the page about it, into an ICAT."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import amqp
import pytest
from attrs import define
from prometheus_client.parser import text_string_to_metric_families

from pacer_sandbox import IcatSandbox
from tests.docs.pages import ROOT, blocks, commands
from tests.services import RabbitMQ
from tests.services.base import free_port
from tests.services.fixtures import skip_without_program
from tests.support import Site, eventually

PAGE = ROOT / "docs/how-to/take-messages-from-pyicat-plus.md"
BLOCKS = {block.language: block.text for block in blocks(PAGE)}
PASSWORD = "pacer's own"
CLIENT = Path(__file__).with_name("pyicat_client.py")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """A node with STOMP, configured as the page says."""
    config = dict(line.split(" = ") for line in BLOCKS["ini"].splitlines())
    with skip_without_program():
        node = RabbitMQ(plugins=["rabbitmq_stomp"], config=config)
    with node:
        definitions = tmp_path_factory.mktemp("broker") / "definitions.json"
        definitions.write_text(BLOCKS["json"])
        (console,) = (block for block in blocks(PAGE) if block.language == "console")
        for command in commands(console):
            program, *arguments = command.text.split()
            if program == "rabbitmqctl":
                said = [{'"$RABBITMQ_PASSWORD"': PASSWORD}.get(one, one) for one in arguments]
                node.ctl(*(str(definitions) if one == definitions.name else one for one in said))
        yield node


@define
class Facility:
    """A facility of the page: its broker, its disks, its ICAT, and the user office's broker."""

    node: RabbitMQ
    office: str
    site: Site
    icat: Any
    port: int

    @property
    def file(self) -> Path:
        """The configuration."""
        return self.site.folder / "pacer.yaml"

    @property
    def queues(self) -> list[str]:
        """The client's queues."""
        return [queue["name"] for queue in json.loads(BLOCKS["json"])["queues"]]

    @property
    def data(self) -> Path:
        # Not .../data/visitor/..., of which the client leaves out what comes before it.
        return self.site.folder / "disk"

    def configure(self, url: str) -> Path:
        """Write the page's configuration, with the addresses of this test."""
        text = BLOCKS["yaml"]
        port = self.node.port
        for old, new in (
            ("host: rabbit.example.org", f"host: 127.0.0.1, port: {port}"),
            ("host: rabbit.users.example.org", f"host: 127.0.0.1\n      port: {port}"),
            ("username: pacer\n      password: !env USER_OFFICE_PASSWORD", f"vHost: {self.office}"),
            ("https://icat.example.org", f'"{url}"'),
            ("authenticator: db\n    username: pacer", "authenticator: simple\n    username: root"),
            ("/data", str(self.data)),
            ("parameter: archiveStatus", "parameter: Sample_description"),
        ):
            assert old in text, old
            text = text.replace(old, new)
        text += f"health: {{port: {self.port}}}\nprocesses: {{stateFolder: {self.site.folder / 'state'}}}\n"
        return self.site.write(text)

    def call(self, *calls: tuple[str, dict[str, Any]]) -> None:
        """Let the client make some calls, in a process of its own."""
        done = subprocess.run(
            [sys.executable, CLIENT, str(self.node.ports["rabbitmq_stomp"])],
            input=json.dumps(calls),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr

    def folder(self, name: str, *files: str) -> Path:
        """Make a dataset's folder with some files."""
        folder = self.data / "hg123" / name
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            (folder / file).write_text(file)
        return folder

    def ask(self, query: str) -> list[Any]:
        """Give what ICAT holds, in order."""
        return sorted(self.icat.search(query))

    def wait_until(self, query: str, expected: list[Any]) -> None:
        """Wait until ICAT holds something."""
        eventually(lambda: self.ask(query) == expected, 60, lambda: f"{expected}: {self.ask(query)}")

    def parameters(self, dataset: str) -> dict[str, Any]:
        """Give a dataset's parameters by name."""
        rows = self.icat.search(
            "SELECT p.type.name, p.stringValue, p.numericValue FROM DatasetParameter p "
            f"WHERE p.dataset.name = '{dataset}'"
        )
        return {name: text if number is None else number for name, text, number in rows}

    def counted(self) -> dict[str, float]:
        """Give what consumers have counted themselves."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
        counted = [one for one in samples if one.name == "pacer_counted_total"]
        return {f"{one.labels['consumer']} {one.labels['what']}": one.value for one in counted}

    def waiting(self, queue: str, vhost: str = "") -> int:
        """Give how many messages are ready in a queue."""
        with self.channel(vhost) as channel:
            return int(channel.queue_declare(queue, passive=True).message_count)

    @contextmanager
    def channel(self, vhost: str) -> Iterator[Any]:
        """Open a channel of a client that has nothing to do with PACER."""
        user = {} if vhost else {"userid": "pacer", "password": PASSWORD}
        connection = amqp.Connection(f"127.0.0.1:{self.node.port}", virtual_host=vhost, **user)
        connection.connect()
        channel = connection.channel()
        channel.auto_decode = False
        yield channel
        connection.close()


@pytest.fixture
def facility(
    broker: RabbitMQ, icat_server: IcatSandbox, icat_client: Any, site: Site, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Facility]:
    monkeypatch.setenv("RABBITMQ_PASSWORD", PASSWORD)
    monkeypatch.setenv("ICAT_PASSWORD", "secret")
    monkeypatch.setenv("USER_OFFICE_PASSWORD", "unused")
    with broker.vhost() as office:
        facility = Facility(broker, office, site, icat_client, free_port())
        facility.data.mkdir()
        facility.configure(icat_server.url)
        yield facility


def dataset(folder: Path, **more: Any) -> dict[str, Any]:
    """Give the arguments of a call that stores a dataset."""
    metadata = {
        "Sample_name": "alloy",
        "startDate": "2025-02-03T10:00:00+01:00",
        "endDate": "2025-02-03T10:05:00+01:00",
        "scanType": "tomo",
        "InstrumentSource_current": 92.5,
        **more.pop("metadata", {}),
    }
    return {
        "beamline": "BM00",
        "proposal": "HG123",
        "dataset": folder.name,
        "path": str(folder),
        "metadata": metadata,
        **more,
    }


STATE = "SELECT d.name, d.type.name, d.complete, d.sample.name, d.investigation.visitId FROM Dataset d"
FILES = "SELECT f.dataset.name, f.name, f.fileSize FROM Datafile f"


def test_an_unmodified_pyicat_plus_stores_datasets_updates_them_and_adds_files(facility: Facility) -> None:
    raw = facility.folder("ds1", "a.h5", "b.h5")
    processed = facility.folder("p1", "out.h5")
    running = facility.site.start("run", "-c", facility.file)
    running.wait_for("reading ")

    facility.call(
        ("start_investigation", {"proposal": "hg123", "beamline": "bm00"}),
        ("store_dataset", dataset(raw)),
        ("store_processed_data", dataset(processed, raw=[str(raw)])),
    )

    facility.wait_until(
        STATE,
        [("ds1", "acquisition", True, "alloy", "bm00"), ("p1", "processed", True, "alloy", "bm00")],
    )
    facility.wait_until(FILES, [("ds1", "a.h5", 4), ("ds1", "b.h5", 4), ("p1", "out.h5", 6)])
    eventually(
        lambda: facility.parameters("ds1").get("output_datasetNames") == "p1",
        60,
        lambda: str(facility.parameters("ds1")),
    )
    found = facility.parameters("ds1")
    assert (found["scanType"], found["InstrumentSource_current"]) == ("tomo", 92.5)
    assert "machine" not in found
    assert facility.parameters("p1")["input_datasets"] == str(raw)

    ids = dict(facility.icat.search("SELECT d.name, d.id FROM Dataset d"))
    facility.folder("ds1", "late.h5")
    update = {
        "proposal": "hg123",
        "beamline": "bm00",
        "dataset_paths": str(raw),
        "metadata_value": "changed <&>",
    }
    facility.call(
        ("update_metadata", {**update, "metadata_name": "Sample_description"}),
        ("update_metadata", {**update, "metadata_name": "known_to_nobody"}),
        ("add_files", {"dataset_id": ids["ds1"]}),
        (
            "update_archive_restore_status",
            {"dataset_id": ids["p1"], "type": "archiving", "level": "info", "message": "to tape"},
        ),
    )
    facility.wait_until(
        FILES, [("ds1", "a.h5", 4), ("ds1", "b.h5", 4), ("ds1", "late.h5", 7), ("p1", "out.h5", 6)]
    )
    eventually(
        lambda: facility.parameters("p1").get("Sample_description") == "archiving info: to tape",
        60,
        lambda: str(facility.parameters("p1")),
    )
    eventually(
        lambda: facility.parameters("ds1").get("Sample_description") == "changed <&>",
        60,
        lambda: str(facility.parameters("ds1")),
    )
    ignored = {
        "datasets ignored_messages": 1.0,  # the start of the investigation
        "datasets unknown_parameters": 4.0,  # machine and software, twice
        "dataset-metadata unknown_parameters": 1.0,
    }
    eventually(lambda: facility.counted() == ignored, 60, lambda: str(facility.counted()))
    assert running.end() == 0
    for queue in facility.queues:
        assert (facility.waiting(queue), facility.waiting(f"{queue}.dead")) == (0, 0), queue


def test_a_reschedule_is_handed_on_unchanged_to_the_user_office(facility: Facility) -> None:
    queue = "rescheduleInvestigation"
    facility.call(("reschedule_investigation", {"investigation_id": "123"}))
    eventually(lambda: facility.waiting(queue) == 1)
    with facility.channel("") as channel:
        sent = channel.basic_get(queue)
        channel.basic_reject(sent.delivery_tag, requeue=True)
    with facility.channel(facility.office) as channel:
        channel.queue_declare(queue, durable=True, auto_delete=False)

    assert facility.site.pacer("run", "--once", "-c", facility.file).out.startswith("1 done")

    with facility.channel(facility.office) as channel:
        arrived = channel.basic_get(queue, no_ack=True)
    assert arrived.body == sent.body
    assert b"<tns:investigationId>123<" in arrived.body
    assert arrived.delivery_info["exchange"] == sent.delivery_info["exchange"] == ""
    theirs = {name: value for name, value in arrived.headers.items() if not name.startswith("x-pacer-")}
    assert theirs == sent.headers
    assert facility.waiting(queue) == 0
