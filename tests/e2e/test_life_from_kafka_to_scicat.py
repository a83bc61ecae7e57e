"""The life of one message with all parts real but SciCat: Kafka, RabbitMQ, a file, two requests, a record.

And what is left of many of them when processes and servers are killed on the way.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from attrs import define
from streaming_data_types.finished_writing_wrdn import serialise_wrdn

from pacer_scicat.testing import ScicatStandIn
from plugins.pacer_kafka.tests.topics import Topics
from plugins.pacer_scicat.tests.support import SCHEMA, write_nexus
from tests.lab import Lab
from tests.services import Kafka
from tests.support import Running, eventually

CONFIG = """
brokers: {{main: {{host: 127.0.0.1, port: {port}, vHost: {vhost}}}}}
exchanges: [{{name: dashboard-logging-exchange}}]
queues:
  - {{name: nexus-files}}
  - {{name: records, exchange: dashboard-logging-exchange, routingKey: message.logging}}
integrations:
  scicat: {{url: "{scicat}", username: datasetIngestor, password: pw-datasetIngestor}}
  dashboard: {{format: json}}
consumers:
  - type: nexus-files
    queues: [nexus-files]
    concurrency: 2
    crashes: 1000
    integrations: [scicat, dashboard]
    options: {{schemas: {schemas}, allowedRoots: [{data}], patience: 0}}
services:
  - type: kafka
    options:
      bootstrapServers: ["{kafka}"]
      groupId: {group}
      topics: [{{name: {topic}}}]
      librdkafka: {{session.timeout.ms: 2000, heartbeat.interval.ms: 500}}
logging: {{logLevel: INFO}}
health: {{enabled: false}}
processes: {{stateFolder: {state}, shutdownGrace: 10s}}
"""


@define
class Facility:
    """A facility's Kafka, files and catalogue, and a PACER between them."""

    lab: Lab
    topics: Topics
    scicat: ScicatStandIn
    data: Path
    written: int = 0

    def write(self, count: int) -> None:
        """Write files as the file-writer does, and announce them."""
        for _ in range(count):
            self.written += 1
            job = f"0f5b5f1e-8a1c-11ef-9b1b-{self.written:012d}"
            file = write_nexus(
                self.data / f"coda/{self.written}.nxs", **{"/entry/entry_identifier_uuid": job}
            )
            self.topics.send(serialise_wrdn("writer", job, False, str(file), "{}", None))

    @property
    def wholes(self) -> int:
        """How many datasets have their files."""
        return len({block["datasetId"] for block in list(self.scicat.store.blocks.values())})

    def has_more_than(self, wholes: int) -> bool:
        """Tell whether there are more of these by now."""
        return self.wholes > wholes

    def wait(self, running: Running) -> None:
        """Wait until every file is in the catalogue."""
        eventually(lambda: self.wholes == self.written, 240, lambda: running.printed[-8000:])

    def check(self) -> None:
        """There is one dataset and one block for each file, whose sums are right."""
        datasets, blocks = self.scicat.store.datasets, self.scicat.store.blocks
        assert len(datasets) == len(blocks) == self.written
        for dataset in datasets.values():
            assert dataset["numberOfFiles"] == 1
            assert dataset["size"] > 0


@pytest.fixture
def scicat() -> Iterator[ScicatStandIn]:
    """A stand-in for SciCat."""
    with ScicatStandIn() as scicat:
        yield scicat


@pytest.fixture
def facility(lab: Lab, kafka: Kafka, scicat: ScicatStandIn, tmp_path: Path) -> Facility:
    """A facility with one schema, and PACER's configuration."""
    topics = Topics(kafka)
    data, schemas = tmp_path / "data", tmp_path / "schemas"
    data.mkdir()
    schemas.mkdir()
    (schemas / "coda.imsc.yml").write_text(SCHEMA)
    lab.file.write_text(
        CONFIG.format(
            port=lab.node.port, vhost=lab.vhost, scicat=scicat.url, schemas=schemas, data=data,
            kafka=kafka.address(), group=topics.group, topic=topics.topic, state=tmp_path / "state",
        )
    )  # fmt: skip
    return Facility(lab, topics, scicat, data)


def records(lab: Lab) -> list[dict[str, Any]]:
    """Take the records that a dashboard would read."""
    return [json.loads(bytes(one.body)) for one in lab.take("records")]


def test_a_file_that_is_announced_on_kafka_is_in_scicat_and_in_the_dashboard_log(facility: Facility) -> None:
    facility.write(1)
    running = facility.lab.site.start("run", "-c", facility.lab.file)
    facility.wait(running)
    eventually(lambda: facility.lab.waiting("records") == 1, 60, lambda: running.printed)
    assert running.end() == 0
    facility.check()
    (dataset,) = facility.scicat.store.datasets.values()
    assert (dataset["datasetName"], dataset["ownerGroup"]) == ("a run", "443503")
    (block,) = facility.scicat.store.blocks.values()
    assert block["dataFileList"][0]["size"] == (facility.data / "coda/1.nxs").stat().st_size
    asked = facility.scicat.misbehaviour.asked
    assert (asked["POST datasets"], asked["POST origdatablocks"]) == (1, 1)
    (record,) = records(facility.lab)
    assert record["outcome"] == "acked"
    assert f"{facility.topics.topic}/0/0" in json.dumps(record)  # the place in Kafka is its correlation id
    assert facility.topics.committed() == 1


def kill(running: Running, what: str) -> None:
    """Kill the newest process of a kind."""
    pids = re.findall(rf"{what} started with process id (\d+)", running.printed)
    os.kill(int(pids[-1]), signal.SIGKILL)


def test_whatever_is_killed_or_lost_each_file_is_one_dataset_with_one_block(facility: Facility) -> None:
    running = facility.lab.site.start("run", "-c", facility.lab.file)
    misbehaviour = facility.scicat.misbehaviour
    facility.write(5)
    facility.wait(running)
    for path in ("/datasets", "/origdatablocks"):
        misbehaviour.fail("lost-answer", method="POST", path=path, at=2)
        facility.write(5)
        facility.wait(running)
    misbehaviour.delay = 0.1  # so that there is something to be killed in
    for what in ("worker nexus-files-1", "service kafka-1"):
        facility.write(10)
        eventually(partial(facility.has_more_than, facility.wholes), 120, lambda: running.printed[-8000:])
        kill(running, what)
        facility.write(2)
        facility.wait(running)
    misbehaviour.delay = 0.0
    facility.topics.kafka.kill()
    facility.topics.kafka.start()
    misbehaviour.away = "proxy"
    facility.write(5)
    eventually(lambda: facility.topics.committed() == facility.written, 120, lambda: running.printed[-8000:])
    misbehaviour.away = "no"
    facility.wait(running)
    assert running.end() == 0
    facility.check()
    assert facility.topics.committed() == facility.written
    assert {one["outcome"] for one in records(facility.lab)} <= {"acked", "retried"}
