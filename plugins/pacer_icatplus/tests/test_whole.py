"""The whole way: a configuration file, a dataset at a broker, its images at ICAT+; and the key nowhere."""

from __future__ import annotations

import pytest

from pacer_http.testing import FAULTS, StandIn
from pacer_icat import IcatClient
from pacer_sandbox import IcatSandbox
from plugins.pacer_icatplus.tests.support import KEY, Visit, content_of, in_icat
from plugins.pacer_icatplus.tests.vendor import Proxy
from tests.support import Site

CONFIG = """
brokers: {{main: {{protocol: sqlite, path: {folder}/broker.db}}}}
exchanges: [{{name: ingest}}]
queues: [{{name: datasets, exchange: ingest, routingKey: dataset.ingest}}]
integrations:
  icat: {{url: "{icat}", authenticator: simple, username: root, password: secret, timeZone: Europe/Berlin}}
  icatPlus: {{url: "{plus}", apiKey: !env ICATPLUS_KEY, allowedRoots: ["{root}"], endings: [.png]}}
consumers:
  - {{type: datasets, queues: [datasets], integrations: [icat, icatPlus], retries: {{delay: 0}}}}
logging: {{logLevel: DEBUG}}
processes: {{stateFolder: {folder}/state}}
"""


def test_a_dataset_at_a_broker_brings_its_images_along(
    site: Site,
    icat: IcatClient,
    icat_server: IcatSandbox,
    service: StandIn,
    proxy: Proxy,
    visit: Visit,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("ICATPLUS_KEY", KEY)
    text = CONFIG.format(folder=site.folder, icat=icat_server.url, plus=service.url, root=visit.root)
    file = site.write(text)
    files = [visit.write("a.png"), visit.write("b.png")]
    service.fail(FAULTS["500"], to="POST", after=1)

    ran = site.carry(file, "datasets", visit.message())

    assert (ran.code, ran.out) == (0, "1 done, 0 dead, 0 waiting for a retry\n")
    assert [content_of(body) for body, _ in proxy.stored] == [b"a.png", b"b.png"]
    assert in_icat(icat.shared) == ([str(path) for path in files], [given for _, given in proxy.stored])
    said = ran.both + caplog.text
    assert "upload_gallery: ICAT+: POST /dataacquisition/***/base64 was answered with 500" in said
    assert [spelling for spelling in (KEY, "secret/key", "secret%2Fkey") if spelling in said] == []
