"""Datasets, their links and their statistics, through RabbitMQ: three consumers of one process."""

from __future__ import annotations

import random
from contextlib import closing
from pathlib import Path

import orjson

from pacer_core.config import load
from pacer_core.model.messages import Outcome
from pacer_core.transport.connection import connect
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.topology import declare
from pacer_core.work.worker import Worker
from pacer_icat.client import Shared
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.support import options_for
from tests.services import RabbitMQ

GROUPS = 25
CONFIG = """
brokers:
  main: {{host: 127.0.0.1, port: {port}, username: guest, password: guest, vHost: {vhost}}}
exchanges: [{{name: ingest}}]
queues:
  - {{name: datasets, exchange: ingest, routingKey: dataset.ingest}}
  - {{name: links, exchange: ingest, routingKey: dataset.links}}
  - {{name: statistics, exchange: ingest, routingKey: dataset.statistics}}
consumers:
  - {{type: datasets, queues: [datasets], integrations: [icat]}}
  - {{type: dataset-links, queues: [links], integrations: [icat]}}
  - {{type: dataset-statistics, queues: [statistics], integrations: [icat]}}
integrations:
  icat: {{url: "{icat}", authenticator: simple, username: root, password: secret, timeZone: Europe/Madrid}}
logging: {{logLevel: WARNING}}
"""


def dataset(name: str, *inputs: str) -> bytes:
    """Make the message of one dataset that was made from others."""
    made = [{"name": "input_datasets", "value": ",".join(f"/data/{one}" for one in inputs)}] if inputs else []
    return orjson.dumps(
        {
            "investigation": "20250330096",
            "instrument": "bl06",
            "name": name,
            "location": f"/data/{name}",
            "start_date": "2025-07-15T10:00:00",
            "end_date": "2025-07-15T10:00:10",
            "sample": {"name": "sample", "type": "SAMPLE"},
            "parameters": made,
            "datafiles": [{"location": f"/data/{name}/file.h5", "size": 100}],
        }
    )


def test_links_and_statistics_follow_datasets_whatever_their_order(
    rabbitmq: RabbitMQ, rabbitmq_vhost: str, tmp_path: Path
) -> None:
    bodies = [
        body
        for number in range(GROUPS)
        for body in (
            dataset(f"raw{number}"),
            dataset(f"one{number}", f"raw{number}"),
            dataset(f"two{number}", f"one{number}"),
        )
    ]
    random.Random(7).shuffle(bodies)
    with IcatSandbox(seed="demo") as sandbox:
        file = tmp_path / "pacer.yaml"
        file.write_text(CONFIG.format(port=rabbitmq.port, vhost=rabbitmq_vhost, icat=sandbox.url))
        config = load(file)
        with closing(connect(config.broker, "test")) as connection:
            declare(connection, config)
        with closing(Publisher(config.broker)) as publisher:
            publisher.publish([Outgoing("ingest", "dataset.ingest", body) for body in bodies])
        sandbox.misbehave.deadlock(every=5)

        assert Worker(config, config.consumers).run(once=True) == {Outcome.ACKED: 3 * len(bodies)}

        sandbox.misbehave.clear()
        with closing(Shared(options_for(sandbox))) as shared:
            lists = {
                (dataset, name): value
                for dataset, name, value in shared.wire.search_all(
                    "SELECT p.dataset.name, p.type.name, p.stringValue FROM DatasetParameter p ORDER BY p.id"
                )
            }
            totals = dict(
                shared.wire.search("SELECT p.type.name, p.numericValue FROM InvestigationParameter p")
            )
    for number in range(GROUPS):
        raw, one, two = (f"{kind}{number}" for kind in ("raw", "one", "two"))
        assert set(lists[raw, "__full_output_datasetNames"].split()) == {one, two}
        assert set(lists[two, "__full_input_datasetNames"].split()) == {one, raw}
        assert lists[one, "output_datasetNames"] == two
        assert lists[raw, "output_datasetNames"] == one
    assert (totals["__datasetCount"], totals["__volume"]) == (len(bodies), 100 * len(bodies))
    assert (totals["__processedDatasetCount"], totals["__elapsedTime"]) == (2 * GROUPS, 10_000 * len(bodies))
