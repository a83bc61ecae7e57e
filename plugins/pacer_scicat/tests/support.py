"""What the tests of pacer-scicat share: a facility's schema and files, and a message's way to SciCat."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import h5py
import numpy
from attrs import define, evolve

from pacer_core import Delivery, Secret
from pacer_core.testing import deliver
from pacer_http import HttpClient
from pacer_scicat import SCICAT, Scicat, ScicatOptions
from pacer_scicat.files.options import NexusFilesOptions
from pacer_scicat.files.task import NEXUS_FILES
from pacer_scicat.testing import ScicatStandIn

JOB = "0f5b5f1e-8a1c-11ef-9b1b-0242ac120002"
PID = f"20.500.12269/{JOB}"

SCHEMA = """\
id: 11111111-2222-3333-4444-555555555555
name: coda
instrument: coda
selector: "filename:contains:coda"
order: 1
variables:
  job_id: {source: NXS, path: /entry/entry_identifier_uuid, value_type: string}
  pid: {source: VALUE, value: "20.500.12269/<job_id>", value_type: string}
  proposal_id: {source: NXS, path: /entry/experiment_identifier, value_type: string}
  title: {source: NXS, path: /entry/title, value_type: string}
  start_time: {source: NXS, path: /entry/start_time, value_type: date}
  temperature: {source: NXS, path: /entry/sample/temperature, value_type: float}
  team: {source: NXS, path: "/entry/user_*/name", value_type: "string[]"}
  names: {source: VALUE, operator: join_with_space, value: <team>, value_type: string}
  source_folder: {source: VALUE, operator: dirname, value: <data_file_path>, value_type: string}
schema:
  pid: {field_type: high_level, machine_name: pid, value: <pid>, type: string}
  name: {field_type: high_level, machine_name: datasetName, value: <title>, type: string}
  proposal: {field_type: high_level, machine_name: proposalId, value: <proposal_id>, type: string}
  investigator: {field_type: high_level, machine_name: principalInvestigator, value: <names>, type: string}
  owner: {field_type: high_level, machine_name: owner, value: <names>, type: string}
  email: {field_type: high_level, machine_name: ownerEmail, value: pi@ess.example.org, type: email}
  contact: {field_type: high_level, machine_name: contactEmail, value: pi@ess.example.org, type: email}
  folder: {field_type: high_level, machine_name: sourceFolder, value: <source_folder>, type: string}
  time: {field_type: high_level, machine_name: creationTime, value: <start_time>, type: date}
  place: {field_type: high_level, machine_name: creationLocation, value: "ESS:CODA", type: string}
  group: {field_type: high_level, machine_name: ownerGroup, value: <proposal_id>, type: string}
  job: {field_type: scientific_metadata, machine_name: job_id, value: <job_id>, type: string}
  temperature:
    field_type: scientific_metadata
    machine_name: temperature
    human_name: Temperature
    value: <temperature>
    type: float
"""


def write_nexus(path: Path, /, **changes: Any) -> Path:
    """Write a file as a file-writer of the facility does; ``changes`` are values by path, or ``None``."""
    values: dict[str, Any] = {
        "/entry/entry_identifier_uuid": JOB,
        "/entry/experiment_identifier": "443503",
        "/entry/title": "a run",
        "/entry/start_time": "2026-11-20T10:11:12.123456789+01:00",
        "/entry/sample/temperature": numpy.float32(20.5),
        "/entry/user_1/name": "Ann Pi",
        "/entry/user_2/name": "Bo Co",
        **changes,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, value in values.items():
            if value is not None:
                file[name] = value
        if "/entry/sample/temperature" in file:
            file["/entry/sample/temperature"].attrs["units"] = "degC"
    return path


@define
class Facility:
    """A folder of data, one of schemas, and a SciCat."""

    root: Path
    scicat: ScicatStandIn
    client: Scicat

    @property
    def data(self) -> Path:
        """Where files are."""
        return self.root / "data"

    @property
    def schemas(self) -> Path:
        """Where schemas are."""
        return self.root / "schemas"

    def schema(self, text: str = SCHEMA, name: str = "coda.imsc.yml") -> Path:
        """Write a schema."""
        self.schemas.mkdir(exist_ok=True)
        file = self.schemas / name
        file.write_text(text)
        return file

    def file(self, name: str = "coda/1/raw/run1.nxs", /, **changes: Any) -> Path:
        """Write a file."""
        return write_nexus(self.data / name, **changes)

    def options(self, **changes: Any) -> NexusFilesOptions:
        """Give a consumer's options."""
        given = {"schemas": str(self.schemas), "allowed_roots": (str(self.data),), "patience": timedelta(0)}
        return NexusFilesOptions(**{**given, "lock_folder": str(self.root), **changes})

    def send(self, file: Path | str, *, message: Any = None, twice: bool = True, **more: Any) -> Delivery:
        """Send the message of a file through the consumer type."""
        options = more.pop("options", None) or self.options()
        body = {"file_name": str(file), "job_id": JOB} if message is None else message
        return deliver(
            NEXUS_FILES,
            json.dumps(body),
            integrations={SCICAT: self.client},
            options=options,
            twice=twice,
            **more,
        )

    @property
    def dataset(self) -> dict[str, Any]:
        """The only dataset in SciCat."""
        (found,) = self.scicat.store.datasets.values()
        return found

    @property
    def files(self) -> list[dict[str, Any]]:
        """The files of all blocks."""
        return [file for block in self.scicat.store.blocks.values() for file in block["dataFileList"]]

    def is_whole(self) -> bool:
        """Tell whether there is one dataset with one block, and its sums are right."""
        assert len(self.scicat.store.datasets) == 1, list(self.scicat.store.datasets)
        assert len(self.scicat.store.blocks) == 1
        dataset, files = self.dataset, self.files
        assert dataset["numberOfFiles"] == len(files)
        assert dataset["size"] == sum(file["size"] for file in files)
        return True


def options_for(url: str, **changes: Any) -> ScicatOptions:
    """Give the options of the ingestor's account."""
    account = {"username": "datasetIngestor", "password": Secret("pw-datasetIngestor")}
    if {"token", "token_file"} & changes.keys():
        account = {}
    return ScicatOptions(**{"url": url, "timeout": timedelta(seconds=20), **account, **changes})


@contextmanager
def client_of(url: str, **changes: Any) -> Iterator[Scicat]:
    """Give a client that does not wait between its tries."""
    options = options_for(url, **changes)
    with HttpClient("SciCat", options.root, timeout=options.timeout, delays=(0, 0)) as http:
        yield Scicat(options, http)


def again(delivery: Delivery) -> dict[str, Any]:
    """Give what sends the same message once more, as its copy comes back after a delay."""
    return {"after": evolve(delivery)}


def dataset(name: str, value: Any) -> dict[str, Any]:
    """Give a dataset of a file-writer's tree."""
    return {"module": "dataset", "config": {"name": name, "type": "string", "values": value}}


def group(name: str, *children: Any) -> dict[str, Any]:
    """Give a group of a file-writer's tree."""
    return {"type": "group", "name": name, "children": list(children)}


def run_start(sample: Any = "sapphire", proposal: Any = "443503", **changes: Any) -> dict[str, Any]:
    """Give the message of a run that starts."""
    inner = [] if sample is None else [group("sample", dataset("name", sample))]
    outer = [] if proposal is None else [dataset("experiment_identifier", proposal)]
    tree = {"children": [group("entry", *outer, *inner)]}
    return {
        "job_id": "j",
        "filename": "f.nxs",
        "start_time": 1,
        "stop_time": 0,
        "run_name": "r",
        "nexus_structure": json.dumps(tree),
        "service_id": "s",
        "instrument_name": "coda",
        "broker": "b",
        "metadata": "{}",
        "detector_spectrum_map": None,
        "control_topic": "t",
        **changes,
    }
