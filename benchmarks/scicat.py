"""How fast files get into SciCat.

`ingest8/ceiling`: the consumer `nexus-files` with 8 threads against a stand-in that takes 20 ms a request,
beside 8 bare threads that send the same two requests a file, by httpx, and do nothing else.
`ingest2x4/ceiling`: the same consumer with 2 workers of 4 threads, beside the same.
`ingest/process-per-file`: the same consumer against a stand-in that takes no time, beside one process a file,
8 at once, that does the same with the same code: the way in which SciCat's own ingestor works.
"""

from __future__ import annotations

import contextlib
import json
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import h5py
import httpx
from attrs import frozen
from rich.console import Console
from rich.table import Table

from benchmarks import scicat_report

NAMES = ("ingest8/ceiling", "ingest2x4/ceiling", "ingest/process-per-file")
TARGETS = {"ingest8/ceiling": 0.8, "ingest2x4/ceiling": 0.8, "ingest/process-per-file": 20.0}
THREADS = 8
WORKERS = {"ingest2x4/ceiling": 2}
"""Among which the threads are spread: in one process, where nothing is said."""
DELAY = 0.02
_CONTROL = "/stand-in/misbehave"
_STALL = 120.0

_FIELDS = {
    "datasetName": "<title>", "principalInvestigator": "Ann Pi", "creationLocation": "ESS", "owner": "Ann",
    "ownerEmail": "a@b.org", "contactEmail": "a@b.org", "sourceFolder": "<folder>",
    "ownerGroup": "<proposal>", "creationTime": "<now>", "pid": "<job_id>",
}  # fmt: skip
_SCHEMA = {
    "id": "bench", "name": "bench", "selector": "*",
    "variables": {
        "job_id": {"source": "NXS", "path": "/entry/entry_identifier_uuid"},
        "title": {"source": "NXS", "path": "/entry/title"},
        "proposal": {"source": "NXS", "path": "/entry/experiment_identifier"},
        "temperature": {"source": "NXS", "path": "/entry/sample/temperature", "value_type": "float"},
        "folder": {"source": "VALUE", "operator": "dirname", "value": "<data_file_path>"},
    },
    "schema": {
        **{
            name: {"field_type": "high_level", "machine_name": name, "value": value, "type": "string"}
            for name, value in _FIELDS.items()
        },
        **{
            name: {
                "field_type": "scientific_metadata", "machine_name": name, "value": f"<{name}>", "type": kind
            }
            for name, kind in (("job_id", "string"), ("temperature", "float"))
        },
    },
}  # fmt: skip


@frozen
class Place:
    """Where one run reads and writes."""

    folder: Path
    url: str
    files: tuple[Path, ...]
    control: httpx.Client

    def asked(self) -> int:
        """Give how many blocks of files SciCat was asked to take."""
        asked = self.control.get(_CONTROL).json()["asked"]
        return int(asked.get("POST origdatablocks", 0))


@contextlib.contextmanager
def place(count: int, delay: float, workers: int = 1) -> Iterator[Place]:
    """Make files, and a SciCat in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "schemas").mkdir()
        (folder / "data").mkdir()
        (folder / "schemas/bench.imsc.json").write_text(json.dumps(_SCHEMA))
        files = tuple(_file(folder / "data" / f"{number}.nxs") for number in range(count))
        command = [sys.executable, "-m", "pacer_scicat.testing"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as scicat:
            try:
                assert scicat.stdout is not None
                (url,) = re.findall(r"http://[\d.:]+", scicat.stdout.readline())
                (folder / "pacer.yaml").write_text(_config(folder, url, workers))
                with httpx.Client(base_url=url) as control:
                    control.post(_CONTROL, json={"delay": delay}).raise_for_status()
                    yield Place(folder, url, files, control)
            finally:
                scicat.terminate()


def _file(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["/entry/entry_identifier_uuid"] = str(uuid4())
        file["/entry/title"] = f"run {path.stem}"
        file["/entry/experiment_identifier"] = "443503"
        file["/entry/sample/temperature"] = 20.5
        file["/entry/sample/temperature"].attrs["units"] = "degC"
        file["/entry/detector"] = list(range(10_000))
    return path


def _config(folder: Path, url: str, workers: int) -> str:
    options = f"schemas: {folder}/schemas, allowedRoots: [{folder}/data], lockFolder: {folder}"
    account = "username: datasetIngestor, password: pw-datasetIngestor"
    return (
        f"brokers: {{main: {{protocol: sqlite, path: {folder}/broker.db}}}}\n"
        "exchanges: [{name: writers}]\n"
        "queues: [{name: files, exchange: writers, routingKey: written}]\n"
        f"integrations: {{scicat: {{url: {url}, {account}}}}}\n"
        f"consumers: [{{type: nexus-files, queues: [files], integrations: [scicat],"
        f" workers: {workers}, concurrency: {THREADS // workers}, options: {{{options}}}}}]\n"
        "health: {enabled: false}\n"
        "logging: {logLevel: WARNING}\n"
        f"processes: {{stateFolder: {folder}/state}}\n"
    )


def consumed(here: Place) -> float:
    """Give the files a second that the consumer takes, after a tenth as warm-up."""
    pacer = str(Path(sys.executable).with_name("pacer"))
    messages = here.folder / "messages"
    messages.mkdir()
    for file in here.files:
        (messages / f"{file.stem}.json").write_text(json.dumps({"file_name": str(file)}))
    config = ["--config", str(here.folder / "pacer.yaml")]
    subprocess.run(
        [pacer, "send", *config, "-n", "nexus-files", str(messages)], check=True, capture_output=True
    )
    with (here.folder / "log").open("w") as log:
        process = subprocess.Popen([pacer, "run", *config], stdout=log, stderr=log)
    try:
        return _rate(here, process)
    finally:
        process.terminate()  # its workers end with it
        process.wait()


def _rate(here: Place, process: subprocess.Popen[bytes]) -> float:
    warm, whole = len(here.files) // 10, len(here.files)
    began = at = 0.0
    until = time.monotonic() + _STALL
    while (asked := here.asked()) < whole:
        if not began and asked >= warm:
            began, at = time.monotonic(), asked
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"stopped at {asked} of {whole}: {(here.folder / 'log').read_text()[-2000:]}")
        time.sleep(0.05)  # to ask more often would take time from those who are measured
    return (whole - at) / (time.monotonic() - began)


def bare(here: Place) -> float:
    """Give the files a second for which 8 threads send both requests, and nothing else."""
    account = {"username": "datasetIngestor", "password": "pw-datasetIngestor"}
    token = httpx.post(f"{here.url}/api/v3/auth/login", json=account).json()["access_token"]
    item = {"path": "a.nxs", "size": 5, "time": "2026-01-01T00:00:00.000Z"}
    with httpx.Client(base_url=f"{here.url}/api/v3", headers={"Authorization": f"Bearer {token}"}) as client:

        def send(_: Path) -> None:
            fields = {name: "x" for name in _FIELDS if name not in ("ownerEmail", "contactEmail")}
            fields |= {"contactEmail": "a@b.org", "creationTime": "2026-01-01T00:00:00.000Z", "type": "raw"}
            fields["pid"] = f"20.500.12269/{uuid4()}"
            client.post("/datasets", json=fields).raise_for_status()
            block = {"datasetId": fields["pid"], "size": 5, "dataFileList": [item]}
            client.post("/origdatablocks", json=block).raise_for_status()

        with ThreadPoolExecutor(THREADS) as pool:
            warm = len(here.files) // 10
            list(pool.map(send, here.files[:warm]))
            began = time.monotonic()
            list(pool.map(send, here.files[warm:]))
            return (len(here.files) - warm) / (time.monotonic() - began)


def processes(here: Place) -> float:
    """Give the files a second with one process for each, 8 at once."""

    def start(file: Path) -> None:
        code = "from pacer_core.cli import main; main()"
        command = [
            sys.executable,
            "-c",
            code,
            "scicat",
            "ingest",
            "-c",
            str(here.folder / "pacer.yaml"),
            str(file),
        ]
        subprocess.run(command, check=True, capture_output=True)

    start(here.files[0])
    began = time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(start, here.files[1:]))
    return (len(here.files) - 1) / (time.monotonic() - began)


def run(wanted: list[str], *, quick: bool) -> dict[str, Any]:
    """Measure rows, in short or at length: the median ratio, and the rates of each repeat."""
    files, starts, repeats = (300, 16, 2) if quick else (1500, 40, 3)
    found: dict[str, Any] = {}
    measured: dict[str, Any] = {}
    for name in wanted:
        delay = DELAY if name.endswith("/ceiling") else 0.0
        pairs = []
        for _ in range(repeats):
            with place(files, delay, WORKERS.get(name, 1)) as here:
                ours = consumed(here)
            with place(files if delay else starts, delay) as here:
                theirs = bare(here) if delay else processes(here)
            pairs.append((ours, theirs))
        ratio = statistics.median(ours / theirs for ours, theirs in pairs)
        found[name] = {"found": round(ratio, 2), "at least": TARGETS[name]}
        measured[f"{name}, files a second"] = [[round(ours, 1), round(theirs, 1)] for ours, theirs in pairs]
    versions = {"python": platform.python_version(), "h5py": h5py.__version__, "httpx": httpx.__version__}
    return {"rows": found, "measured": measured, "repeats": repeats, "versions": versions}


def show(taken: dict[str, Any], console: Console) -> None:
    """Print the rows."""
    table = Table("row", "ratio", "target", "files a second (ours, theirs)", title="Files into SciCat")
    for name, row in taken["rows"].items():
        rates = str(taken["measured"][f"{name}, files a second"])
        table.add_row(name, f"{row['found']:.2f}", f">= {row['at least']:g}", rates)
    console.print(table)


def write(taken: dict[str, Any]) -> None:
    """Write the results beside those of Kafka."""
    scicat_report.write("ingest", taken)
