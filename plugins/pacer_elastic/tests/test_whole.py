"""The whole way: a configuration file, a dataset at a broker, a document in Elasticsearch."""

from __future__ import annotations

import pytest

from pacer_core import Secret
from pacer_http.testing import FAULTS, StandIn
from pacer_sandbox import IcatSandbox
from plugins.pacer_elastic.tests.conftest import Facility
from plugins.pacer_elastic.tests.node import Node
from plugins.pacer_icat.tests.support import dataset_message
from tests.support import Site

CONFIG = """
brokers: {{main: {{protocol: sqlite, path: {folder}/broker.db}}}}
queues: [{{name: datasets}}, {{name: indexing}}, {{name: ops}}]
integrations:
  icat: {{url: "{icat}", authenticator: simple, username: root, password: secret, timeZone: Europe/Berlin}}
  elastic: {{url: "{elastic}", username: pacer, password: !env ELASTIC_PASSWORD, index: found}}
consumers:
  - {{type: datasets, queues: [datasets], integrations: [icat, elastic], retries: {{delay: 0}}}}
  - {{type: dataset-index, queues: [indexing], integrations: [icat, elastic]}}
  - type: investigation-operations
    queues: [ops]
    integrations: [icat, elastic]
    options: {{operations: [reindex]}}
logging: {{logLevel: DEBUG}}
processes: {{stateFolder: {folder}/state}}
"""


def test_a_dataset_at_a_broker_is_found_in_elasticsearch(
    site: Site,
    facility: Facility,
    icat_server: IcatSandbox,
    service: StandIn,
    node: Node,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("ELASTIC_PASSWORD", "open sesame")
    file = site.write(CONFIG.format(folder=site.folder, icat=icat_server.url, elastic=service.url))
    service.fail(*[FAULTS["503"]] * 3, to="POST")  # as many as are tried within a task

    ran = site.carry(file, "datasets", dataset_message())

    assert (ran.code, ran.out) == (0, "1 done, 0 dead, 0 waiting for a retry\n")
    facility.configure(index="found", username="pacer", password=Secret("open sesame"))
    (before,) = facility.documents().values()
    assert before["name"] == "run1"
    assert "index_stored_dataset: Elasticsearch: POST /_bulk was answered with 503" in ran.err

    node.indexes.clear()
    operations = {"name": "20250330096", "visit_id": "bl06", "operations": ["reindex"]}
    done = site.carry(file, "investigation-operations", operations)
    assert done.code == 0
    assert list(facility.documents().values()) == [before]

    node.indexes.clear()
    last = site.carry(file, "dataset-index", {"dataset_id": before["id"]})
    assert last.code == 0
    assert list(facility.documents().values()) == [before]
    assert "sesame" not in ran.both + done.both + last.both + caplog.text
