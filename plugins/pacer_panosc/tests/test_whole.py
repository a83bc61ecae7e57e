"""The whole way: a configuration file, a message at a broker, an item with weights."""

from __future__ import annotations

import pytest

from pacer_http.testing import FAULTS
from pacer_sandbox import IcatSandbox
from plugins.pacer_panosc.tests.conftest import DOI, ITEM, NAME, VISIT, Facility, document
from plugins.pacer_panosc.tests.services import Pss, SearchApi
from tests.support import Site

CONFIG = """
brokers: {{main: {{protocol: sqlite, path: {folder}/broker.db}}}}
exchanges: [{{name: operations}}]
queues: [{{name: ops, exchange: operations, routingKey: investigation.ops}}]
integrations:
  icat: {{url: "{icat}", authenticator: simple, username: root, password: secret, timeZone: Europe/Berlin}}
  panosc:
    searchUrl: {search}/api
    scoringUrl: {scoring}
    username: pacer
    password: !env PANOSC_PASSWORD
    pid: "{{doi}}"
    recomputeAfter: 1s
consumers:
  - {{type: investigation-operations, queues: [ops], integrations: [icat, panosc], retries: {{delay: 0}}}}
logging: {{logLevel: DEBUG}}
processes: {{stateFolder: {folder}/state}}
"""


@pytest.fixture
def search_api() -> SearchApi:
    """One implementation is enough here."""
    return SearchApi(documents=[document()])


def test_a_message_at_a_broker_becomes_an_item_with_weights(
    site: Site,
    facility: Facility,
    icat_server: IcatSandbox,
    pss: Pss,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("PANOSC_PASSWORD", "open sesame")
    pss.password = "needed"
    text = CONFIG.format(
        folder=site.folder, icat=icat_server.url, search=facility.search.url, scoring=facility.scoring.url
    )
    file = site.write(text)
    operations = {"name": NAME, "visit_id": VISIT, "operations": ["create-panosc-item"]}
    facility.scoring.fail(FAULTS["500"], FAULTS["lost"], to="POST")

    ran = site.carry(file, "investigation-operations", operations)

    assert (ran.code, ran.out) == (0, "1 done, 0 dead, 0 waiting for a retry\n")
    assert pss.items == {DOI: ITEM}
    assert pss.runs == 1
    assert "the weights are computed a little later" in ran.err
    assert "sesame" not in ran.both + caplog.text
