"""The whole way: messages at a broker, processes of their own, files in SciCat; also the example."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from plugins.pacer_scicat.tests.support import PID, SCHEMA, Facility
from tests.at_length import long
from tests.support import Running, Site, eventually

EXAMPLE = Path(__file__).parents[3] / "examples/scicat/run.py"
CONFIG = """
brokers: {{main: {{protocol: sqlite, path: "{folder}/broker.db"}}}}
exchanges: [{{name: writers}}]
queues: [{{name: files, exchange: writers, routingKey: written}}]
consumers:
  - type: nexus-files
    queues: [files]
    integrations: [scicat]
    workers: 2
    crashes: 3
    retries: {{delay: 0}}
    options: {{schemas: "{root}/schemas", allowedRoots: ["{root}/data"], patience: 1s, lockFolder: "{root}"}}
integrations:
  scicat: {{url: "{url}", username: datasetIngestor, password: !env SCICAT_PASSWORD}}
health: {{enabled: false}}
processes: {{stateFolder: "{folder}/state"}}
"""
CRASHING = """
import os, signal
from pacer_scicat import Source, VariableError, hookimpl

def read(given, keys):
    try:
        given.file.read("/entry/crash", several=False)
    except VariableError:
        return "well", None
    os.kill(os.getpid(), signal.SIGSEGV)

@hookimpl
def scicat_sources():
    return [Source("CRASHING", read)]
"""
"""In the place of a file that makes HDF5's library crash: a source that does, where the file says so."""
READING = """
import sys, h5py
with h5py.File(sys.argv[1]) as file:
    file["/entry/experiment_identifier"][()]
"""


@pytest.fixture
def config(site: Site, facility: Facility, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCICAT_PASSWORD", "pw-datasetIngestor")
    return site.write(CONFIG.format(folder=site.folder, root=facility.root, url=facility.scicat.url))


def send(site: Site, config: Path, file: Path) -> None:
    body = site.write(json.dumps({"file_name": str(file)}), f"{file.stem}.json")
    assert site.pacer("send", "-c", config, "-n", "nexus-files", body).code == 0


def test_a_file_at_a_broker_is_in_scicat(site: Site, facility: Facility, config: Path) -> None:
    facility.scicat.misbehaviour.fail("lost-answer", method="POST", path="/origdatablocks")
    ran = site.carry(config, "nexus-files", {"file_name": str(facility.file())})
    assert (ran.code, ran.out) == (0, "1 done, 0 dead, 0 waiting for a retry\n")
    assert facility.is_whole()
    assert "pw-datasetIngestor" not in ran.both


def test_scicat_may_be_away_for_a_while(site: Site, facility: Facility, config: Path) -> None:
    facility.scicat.misbehaviour.away = "proxy"
    running = site.start("run", "-c", config)
    send(site, config, facility.file())
    running.wait_for("503")
    facility.scicat.misbehaviour.away = "no"
    eventually(lambda: facility.scicat.store.blocks, 90, lambda: running.printed)
    assert running.end() == 0
    assert facility.is_whole()


@pytest.mark.parametrize("moment", [pytest.param("POST datasets", marks=long), "POST origdatablocks"])
def test_workers_that_are_killed_leave_one_of_each(
    site: Site, facility: Facility, config: Path, moment: str
) -> None:
    facility.scicat.misbehaviour.delay = 0.5
    running = site.start("run", "-c", config)
    send(site, config, facility.file())
    eventually(lambda: facility.scicat.misbehaviour.asked[moment], 60, lambda: running.printed)
    for worker in _workers(running):
        os.kill(worker, signal.SIGKILL)
    facility.scicat.misbehaviour.delay = 0.0
    eventually(lambda: "done in" in running.printed, 90, lambda: running.printed)
    assert running.end() == 0
    assert facility.is_whole()


def _workers(running: Running) -> list[int]:
    children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text()
    return [
        int(one) for one in children.split() if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()
    ]


def a_damaged_file(facility: Facility) -> Path:
    """Give a file that crashes HDF5's library; the versions that it is known to crash are in its README."""
    file = facility.data / "coda/bad.nxs"
    file.parent.mkdir()
    file.write_bytes(gzip.decompress((Path(__file__).parent / "damaged/crashing.nxs.gz").read_bytes()))
    read = subprocess.run([sys.executable, "-c", READING, str(file)], check=False, capture_output=True)
    if read.returncode != -signal.SIGSEGV:
        pytest.skip("the HDF5 of this h5py survives the file")
    return file


def what_crashes_for_certain(site: Site, facility: Facility) -> Path:
    """Give a file whose schema has a source that crashes."""
    package = site.install("facility-crashing", CRASHING)
    info = next(site.folder.glob("facility_crashing-*.dist-info"))
    (info / "entry_points.txt").write_text(f"[pacer_scicat]\ncrashing = {package.name}.plugin\n")
    text = SCHEMA.replace("variables:", "variables:\n  fragile: {source: CRASHING}", 1)
    facility.schema(text)
    return facility.file("coda/bad.nxs", **{"/entry/crash": 1, "/entry/entry_identifier_uuid": "bad"})


@pytest.mark.parametrize("how", ["a damaged file", pytest.param("a stand-in", marks=long)])
def test_a_file_that_crashes_the_library_kills_a_process_and_its_own_message(
    site: Site, facility: Facility, config: Path, how: str
) -> None:
    bad = a_damaged_file(facility) if how == "a damaged file" else what_crashes_for_certain(site, facility)
    running = site.start("run", "-c", config)
    send(site, config, bad)
    send(site, config, facility.file("coda/good.nxs"))
    eventually(lambda: facility.scicat.store.blocks, 120, lambda: running.printed)
    running.wait_for("dead in files.dead", 120)
    assert running.end() == 0
    assert list(facility.scicat.store.datasets) == [PID]
    assert facility.is_whole()


def test_the_example_runs_with_one_command() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "SciCat has 20.500.12269/0f5b5f1e-8a1c-11ef-9b1b-0242ac120002: 'Sapphire, run 1', 2 files"
        in done.stdout
    )
    assert "SciCat has the sample 'sapphire' of proposal 443503" in done.stdout
    assert "3 done, 1 dead, 0 waiting for a retry" in done.stdout
