"""Files of a writer, into SciCat: everything on embedded parts.

The broker is a file, and SciCat a stand-in on loopback (`pacer_scicat.testing`), which knows what a real one
answers and is none. In the place of Kafka, `pacer send` hands over what its topics would. All are gone in the
end. PACER is used as a facility uses it: `pacer send` and `pacer run` are processes of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
from rich.console import Console

from pacer_scicat.testing import ScicatStandIn

console = Console(highlight=False, soft_wrap=True)
HERE = Path(__file__).parent
JOBS = ("0f5b5f1e-8a1c-11ef-9b1b-0242ac120002", "1a6c6a2f-8a1c-11ef-9b1b-0242ac120002")


def main() -> None:
    """Run the example."""
    with tempfile.TemporaryDirectory(prefix="pacer-scicat-") as name, ScicatStandIn() as scicat:
        folder = Path(name)
        (folder / "data/coda/raw").mkdir(parents=True)
        os.environ |= {
            "DEMO_SCHEMAS": str(HERE / "schemas"),
            "DEMO_DATA": str(folder / "data"),
            "DEMO_SCICAT_URL": scicat.url,
            "DEMO_SCICAT_PASSWORD": "pw-datasetIngestor",
            "DEMO_SAMPLES_PASSWORD": "pw-sampleIngestor",
        }
        (folder / "pacer.yaml").write_text((HERE / "pacer.yaml").read_text())
        files = [write(folder / f"data/coda/raw/{number}.nxs", job) for number, job in enumerate(JOBS, 1)]
        pacer(folder, "scicat", "schema", "check", str(HERE / "schemas"))
        send(folder, "scicat-samples", run_start())
        for file, job in zip(files, JOBS, strict=True):
            send(folder, "nexus-files", {"file_name": str(file), "job_id": job, "service_id": "writer"})
        send(folder, "nexus-files", {"file_name": "/etc/passwd"})  # outside of the allowed roots: dead
        pacer(folder, "run", "--once", expected=1)
        for dataset in scicat.store.datasets.values():
            console.print(
                f"SciCat has {dataset['pid']}: {dataset['datasetName']!r}, {dataset['numberOfFiles']} files"
            )
        for sample in scicat.store.samples.values():
            console.print(
                f"SciCat has the sample {sample['sampleName']!r} of proposal {sample['proposalId']}"
            )
        pacer(folder, "dead", "list")


def write(path: Path, job: str) -> Path:
    """Write a file as a file-writer does."""
    with h5py.File(path, "w") as file:
        file["/entry/entry_identifier_uuid"] = job
        file["/entry/experiment_identifier"] = "443503"
        file["/entry/title"] = f"Sapphire, run {path.stem}"
        file["/entry/start_time"] = "2026-11-20T10:11:12.123456789+01:00"
        file["/entry/sample/temperature"] = 20.5
        file["/entry/sample/temperature"].attrs["units"] = "degC"
        file["/entry/user_1/name"], file["/entry/user_2/name"] = "Ann Pi", "Bo Co"
    return path


def run_start() -> dict[str, str]:
    """Give what says that a run starts: `pl72`, as JSON."""

    def dataset(name: str, value: str) -> dict[str, object]:
        return {"module": "dataset", "config": {"name": name, "values": value}}

    sample = {"name": "sample", "children": [dataset("name", "sapphire")]}
    entry = {"name": "entry", "children": [dataset("experiment_identifier", "443503"), sample]}
    return {"instrument_name": "coda", "run_name": "1", "nexus_structure": json.dumps({"children": [entry]})}


def send(folder: Path, consumer: str, message: object) -> None:
    """Publish a message to a consumer."""
    body = folder / "message.json"
    body.write_text(json.dumps(message))
    pacer(folder, "send", "-n", consumer, str(body))


def pacer(folder: Path, *arguments: str, expected: int = 0) -> None:
    """Run a command of PACER's, and show it."""
    console.print(f"$ pacer {' '.join(arguments)}")
    command = [sys.executable, "-m", "pacer_core", *arguments]
    done = subprocess.run(command, cwd=folder, check=False)  # noqa: S603 - our own command
    if done.returncode != expected:
        raise SystemExit(f"pacer {arguments[0]} ended with {done.returncode}")


if __name__ == "__main__":
    main()
