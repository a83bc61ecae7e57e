"""``pacer scicat ingest``: one file by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from plugins.pacer_scicat.tests.support import PID, Facility
from tests.support import Site

CONFIG = """
brokers: {{main: {{protocol: memory}}}}
queues: [{{name: files}}]
consumers:
  - type: nexus-files
    queues: [files]
    integrations: [scicat]
    options: {{schemas: "{root}/schemas", allowedRoots: ["{root}/data"], patience: 0s, lockFolder: "{root}"}}
integrations:
  scicat: {{url: "{url}", username: datasetIngestor, password: !env SCICAT_PASSWORD}}
"""


@pytest.fixture
def config(site: Site, facility: Facility, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCICAT_PASSWORD", "pw-datasetIngestor")
    return site.write(CONFIG.format(root=facility.root, url=facility.scicat.url))


def test_a_file_is_stored_by_hand_and_again_without_harm(
    site: Site, facility: Facility, config: Path
) -> None:
    file = facility.file()
    for _ in range(2):
        ran = site.pacer("scicat", "ingest", "-c", config, file)
        assert (ran.code, ran.out) == (0, f"{file}: {PID}, by schema 11111111-2222-3333-4444-555555555555\n")
    assert facility.is_whole()


def test_a_dry_run_shows_everything_and_writes_nothing(site: Site, facility: Facility, config: Path) -> None:
    file = facility.file(**{"/entry/user_2/name": None})
    ran = site.pacer("scicat", "ingest", "-c", config, "--dry-run", file)
    assert ran.code == 0, ran.both
    for wanted in (
        f"  schema 'coda' ({facility.schemas}/coda.imsc.yml)",
        "    temperature = 20.5 degC  (NXS, float)",
        '    team = ["Ann Pi"]  (NXS, string[])',
        "  POST /api/v3/datasets",
        f'      "pid": "{PID}",',
        "  POST /api/v3/origdatablocks",
        '          "path": "run1.nxs",',
    ):
        assert wanted in ran.out.splitlines()
    assert facility.scicat.store.datasets == {}


def test_what_could_not_be_stored_is_told(site: Site, facility: Facility, config: Path) -> None:
    good = facility.file()
    ran = site.pacer("scicat", "ingest", "-c", config, facility.data / "none.nxs", good)
    assert ran.code == 1
    assert "none.nxs is not there" in ran.err
    assert facility.is_whole()


def test_there_has_to_be_one_consumer(site: Site, facility: Facility, config: Path) -> None:
    ran = site.pacer("scicat", "ingest", "-c", config, "-n", "other", facility.file())
    assert ran.code != 0
    assert "no consumer of type nexus-files named 'other'" in ran.both
