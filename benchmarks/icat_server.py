"""The ICAT that is measured: a sandbox of its own or any server, and a facility made for the measurement."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from attrs import evolve, frozen

from pacer_core import Secret
from pacer_icat import IcatOptions
from pacer_icat.client import Shared
from pacer_icat.soap import Bean, ref

PARAMETERS = 50
INVESTIGATIONS = 8
_AUTH = re.compile(r"(?P<plugin>[^/:]+)[/:](?P<user>[^/:]+)(?:[/:](?P<password>.+))?\Z", re.DOTALL)
_OF_DATASETS = (
    "input_datasets output_datasets input_datasetIds output_datasetIds output_datasetNames datasetName "
    "__full_input_datasetIds __full_output_datasetIds __full_input_datasetNames __full_output_datasetNames"
)


@frozen
class Account:
    """Who writes: an account that may create and delete a facility."""

    plugin: str
    user: str
    password: str

    @classmethod
    def parse(cls, text: str, default_password: str | None) -> Account:
        """Read ``PLUGIN/USER`` or ``PLUGIN/USER:PASSWORD``.

        Raises
        ------
        ValueError
            Where a part is missing.
        """
        found = _AUTH.match(text)
        password = found and (found["password"] or default_password)
        if not found or not password:
            raise ValueError("write PLUGIN/USER:PASSWORD, or PLUGIN/USER with the password in ICAT_PASSWORD")
        return cls(found["plugin"], found["user"], password)


SANDBOX_ACCOUNT = Account("simple", "root", "secret")


@frozen
class Server:
    """An ICAT to measure against."""

    url: str
    account: Account
    is_sandbox: bool
    ca_file: str | None = None
    facility: str = "pacer-bench"

    def options(self) -> IcatOptions:
        """Give what a worker's YAML would say."""
        return IcatOptions(
            url=self.url,
            authenticator=self.account.plugin,
            username=self.account.user,
            password=Secret(self.account.password),
            facility=self.facility,
            time_zone="Europe/Berlin",
            ca_file=self.ca_file,
            timeout=timedelta(minutes=15),  # the deletion at the end takes a real ICAT a minute or more
        )

    def misbehave(self, **wishes: Any) -> bool:
        """Tell the sandbox to be slow or away, or to stop that; tell whether it is one."""
        if self.is_sandbox:
            body = json.dumps({"clear": True, **wishes}).encode()
            request = urllib.request.Request(f"{self.url}/sandbox/misbehave", data=body, method="POST")
            urllib.request.urlopen(request, timeout=10).close()
        return self.is_sandbox


@contextlib.contextmanager
def sandbox() -> Iterator[Server]:
    """Run a sandbox in a process of its own while inside."""
    command = [sys.executable, "-m", "pacer_sandbox", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline() if process.stdout else ""
        try:
            if "http" not in line:
                raise RuntimeError("the sandbox does not start")
            yield Server(line.split()[3].partition("/ICATService")[0], SANDBOX_ACCOUNT, is_sandbox=True)
        finally:
            process.terminate()


@contextlib.contextmanager
def facility(server: Server) -> Iterator[Server]:
    """Make a facility with all that the messages name, and delete it at the end with all below it."""
    name = f"pacer-bench-{uuid4().hex[:8]}"
    made = evolve(server, facility=name)
    shared = Shared(made.options())
    wire = shared.wire
    id_ = wire.create(Bean("Facility", {"name": name}))
    try:
        owner = ref("Facility", id_)
        instrument = wire.create(Bean("Instrument", {"facility": owner, "name": "bl06"}))
        kind = wire.create(Bean("InvestigationType", {"facility": owner, "name": "MX"}))
        for type_ in ("acquisition", "processed"):
            wire.create(Bean("DatasetType", {"facility": owner, "name": type_}))
        wire.create(
            Bean("SampleType", {"facility": owner, "name": "SAMPLE", "molecularFormula": "-"}),
        )
        wire.create_many([_parameter_type(owner, *one) for one in _types()])
        wire.create_many(
            [
                Bean(
                    "Investigation",
                    {
                        "facility": owner,
                        "type": ref("InvestigationType", kind),
                        "name": f"{name}-{number}",
                        "visitId": "1",
                        "title": "a benchmark",
                        "startDate": datetime(2025, 7, 1, tzinfo=UTC),
                        "endDate": datetime(2025, 8, 1, tzinfo=UTC),
                        "investigationInstruments": [
                            Bean("InvestigationInstrument", {"instrument": ref("Instrument", instrument)})
                        ],
                    },
                )
                for number in range(INVESTIGATIONS)
            ]
        )
        yield made
    finally:
        made.misbehave()
        wire.delete_many([owner])
        shared.close()


def _types() -> Iterator[tuple[str, str]]:
    for number in range(PARAMETERS):
        yield f"bench_{number:02}", "NUMERIC" if number % 2 else "STRING"
    for name in _OF_DATASETS.split():
        yield name, "STRING"
    for name in ("fileCount", "volume", "elapsedTime", "datasetCount", "sampleCount"):
        yield f"__{name}", "NUMERIC"
    for kind in ("acquisition", "processed"):
        for name in ("DatasetCount", "FileCount", "Volume"):
            yield f"__{kind}{name}", "NUMERIC"


def _parameter_type(owner: Bean, name: str, kind: str) -> Bean:
    applicable = {f"applicableTo{entity}": True for entity in ("Dataset", "Sample", "Investigation")}
    return Bean(
        "ParameterType", {"facility": owner, "name": name, "units": "", "valueType": kind, **applicable}
    )


def message(
    server: Server, name: str, *, files: int, parameters: int, number: int = 0, made_from: str = ""
) -> bytes:
    """Give a dataset message for the ``number``-th investigation, as a beamline sends it."""
    folder = f"/data/{server.facility}/{number}/{name}"
    body = {
        "investigation": f"{server.facility}-{number}",
        "instrument": "bl06",
        "name": name,
        "location": folder,
        "start_date": "2025-07-15T10:00:00+02:00",
        "end_date": "2025-07-15T11:00:00+02:00",
        "sample": {"name": "Lysozyme", "type": "SAMPLE"},
        "parameters": [
            {"name": f"bench_{one:02}", "value": one if one % 2 else f"value {one}"}
            for one in range(parameters)
        ]
        + [{"name": "input_datasets", "value": one} for one in [made_from] if one],
        "datafiles": [
            {"location": f"{folder}/image_{one:06}.cbf", "size": 6_000_000 + one} for one in range(files)
        ],
    }
    return json.dumps(body).encode()
