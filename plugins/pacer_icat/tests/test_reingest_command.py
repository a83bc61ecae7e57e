"""``pacer icat reingest``: one command, and everything an investigation has is ingested once more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pacer_icat import IcatClient
from pacer_icat.datasets.task import DATASETS
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.crashing import state
from plugins.pacer_icat.tests.support import DATASET_STATE, configure, dataset_message, deliver_to
from tests.support import Site


@pytest.fixture
def file(site: Site, icat_server: IcatSandbox, tmp_path: Path) -> Path:
    """The configuration of a facility that can ingest and reingest."""
    return configure(site, icat_server, tmp_path, "datasets", "reingest")


def test_one_command_has_all_datasets_handled_once_more(
    site: Site, file: Path, icat: IcatClient, plain: Any
) -> None:
    for name in ("run1", "run2", "run3"):
        deliver_to(DATASETS, dataset_message(name=name, location=f"/data/{name}"), icat)
    before = state(plain, DATASET_STATE)
    done = site.pacer("icat", "reingest", "20250330096", "--visit", "bl06", "-c", file)
    assert done.code == 0, done.both
    assert "confirmed" in done.out
    plain.deleteMany(plain.search("SELECT l FROM DatasetInstrument l"))
    assert state(plain, DATASET_STATE) != before
    ran = site.pacer("run", "--once", "-c", file)
    assert (ran.code, ran.out) == (0, "4 done, 0 dead, 0 waiting for a retry\n")
    assert state(plain, DATASET_STATE) == before


def test_a_consumer_that_is_not_configured_is_named(site: Site, file: Path) -> None:
    done = site.pacer("icat", "reingest", "20250330096", "-n", "again", "-c", file)
    assert done.code == 2
    assert "no consumer or queue 'again'" in done.both
    assert "there are: datasets, reingest; add a consumer of type reingest" in done.both


def test_what_looks_further_looks_at_the_same_configuration(file: Path, site: Site) -> None:
    nobody = {"main": {"protocol": "amqp", "host": "localhost", "port": 1}}
    file = site.write(json.dumps(json.loads(file.read_text()) | {"brokers": nobody}), "other.yaml")
    done = site.pacer("icat", "reingest", "20250330096", "-c", file)
    assert done.code == 69, done.both
    assert f"doctor -c {file}` looks further" in done.both
