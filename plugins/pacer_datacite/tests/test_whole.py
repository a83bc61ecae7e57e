"""The whole way: a configuration file, a message at a broker, a DOI at DataCite and in ICAT."""

from __future__ import annotations

import pytest

from pacer_http.testing import FAULTS, StandIn
from pacer_icat import IcatClient
from pacer_sandbox import IcatSandbox
from plugins.pacer_datacite.tests.lupo import Lupo
from plugins.pacer_datacite.tests.support import DOI, PAGE, PASSWORD, doi_in_icat, message
from tests.support import Site

CONFIG = """
brokers: {{main: {{protocol: sqlite, path: {folder}/broker.db}}}}
exchanges: [{{name: operations}}]
queues: [{{name: ops, exchange: operations, routingKey: investigation.ops}}]
integrations:
  icat: {{url: "{icat}", authenticator: simple, username: root, password: secret, timeZone: Europe/Berlin}}
  datacite:
    system: {datacite}
    repository: ALBA.DATA
    password: !env DATACITE_PASSWORD
    prefix: "10.5072"
    landingPage: https://data.example.org/doi/{{doi}}
    state: findable
    publisher: {{name: ALBA Synchrotron, ror: https://ror.org/02j9n6e35}}
    funder: {{name: ALBA, identifier: 10.13039/1, identifierType: Crossref Funder ID}}
    rights: {{name: CC BY 4.0, identifier: CC-BY-4.0}}
    requestsInFiveMinutes: 100
consumers:
  - {{type: investigation-operations, queues: [ops], integrations: [icat, datacite], retries: {{delay: 0}}}}
processes: {{stateFolder: {folder}/state}}
"""


def test_a_message_at_a_broker_becomes_a_doi(
    site: Site,
    icat: IcatClient,
    icat_server: IcatSandbox,
    service: StandIn,
    lupo: Lupo,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATACITE_PASSWORD", PASSWORD)
    file = site.write(CONFIG.format(folder=site.folder, icat=icat_server.url, datacite=service.url))
    service.fail(*[FAULTS["503"]] * 3, to="PUT")  # as many as are tried within a task

    ran = site.carry(file, "investigation-operations", message())

    assert (ran.code, ran.out) == (0, "1 done, 0 dead, 0 waiting for a retry\n")
    assert "mint_proposal: DataCite: PUT /dois/10.5072" in ran.err
    assert lupo.dois[DOI].state == "findable"
    assert lupo.dois[DOI].attributes["url"] == PAGE
    assert doi_in_icat(icat.shared) == DOI
    assert PASSWORD not in ran.both
