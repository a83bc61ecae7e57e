"""The how-to guides' commands that take long: of the dashboard, of SciCat, and from wheels."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pacer_scicat.testing import ScicatStandIn
from plugins.pacer_scicat.tests.support import write_nexus
from tests.at_length import long
from tests.docs.pages import ROOT
from tests.docs.reader import Reader
from tests.docs.test_rehearsals import GUIDES, PYPI, SMALL, write
from tests.services.base import free_port

ASKS = "asks for a password: plugins/pacer_dashboard/tests/test_user_command.py"


@long
def test_give_roles_in_the_dashboard(tmp_path: Path) -> None:
    left = {"pacer dashboard user add ada": ASKS}
    with Reader(tmp_path, installed=True, left_out=left) as reader:
        reader.run("pacer dashboard user add bob --no-password")
        reader.read(GUIDES / "give-roles-in-the-dashboard.md")
        listed = reader.run("pacer dashboard user list")
        assert "monitoring: id01-staff" in listed
        assert "view, act, reingest of dataset-ingestion, investigation-ops with instrument = ID01" in listed


@long
def test_run_the_dashboard(tmp_path: Path) -> None:
    left = {
        "pip install": PYPI,
        "pacer dashboard user add me": ASKS,
        "sudo": "needs root, and a PostgreSQL or systemd of the system",
        "kubectl": "needs a cluster: tests/deploy/test_chart.py",
        "export POSTGRES_DB": "plugins/pacer_dashboard/tests/test_store.py",
        "export PGPASSWORD": "plugins/pacer_dashboard/tests/test_import.py",
        "pacer dashboard import": "plugins/pacer_dashboard/tests/test_import.py",
    }
    serve = {"pacer dashboard serve": f"pacer dashboard serve --port {free_port()}"}
    with Reader(tmp_path, serve, installed=True, left_out=left) as reader:
        reader.read(GUIDES / "run-the-dashboard.md")
        assert (reader.home / "dashboard").is_dir()
        assert reader.stop() == [0]


@long
def test_files_into_scicat(tmp_path: Path, scicat_stand_in: ScicatStandIn) -> None:
    (tmp_path / "coda" / "raw").mkdir(parents=True)
    file = write_nexus(tmp_path / "coda" / "raw" / "1.nxs")
    changes = {"/etc/pacer/schemas": "examples/scicat/schemas", "/ess/data/coda/raw/1.nxs": str(file)}
    options = {
        "schemas": str(ROOT / "examples/scicat/schemas"),
        "allowedRoots": [str(tmp_path)],
        "lockFolder": str(tmp_path),
    }
    account = {"username": "datasetIngestor", "password": "pw-datasetIngestor"}
    config: dict[str, Any] = {
        **json.loads(SMALL),
        "consumers": [
            {"type": "nexus-files", "queues": ["mail"], "integrations": ["scicat"], "options": options}
        ],
        "integrations": {"scicat": {"url": scicat_stand_in.url, **account}},
    }
    with Reader(tmp_path, changes, installed=True, left_out={"pip install": PYPI}) as reader:
        write(reader, config)
        reader.run("cd pacer")

        def configured() -> None:
            reader.run(f"export PACER_CONFIG={reader.home}/pacer.yaml")

        reader.read(GUIDES / "files-into-scicat.md", {"pacer scicat ingest": configured})
        assert scicat_stand_in.store.datasets == {}


@pytest.fixture
def scicat_stand_in() -> Iterator[ScicatStandIn]:
    """A SciCat of this test's own."""
    with ScicatStandIn() as scicat:
        yield scicat


@long
def test_install(tmp_path: Path) -> None:
    pytest.importorskip("build", reason="builds wheels: uv sync --all-groups, or nox -s build")
    wheels = tmp_path / "home" / "dist"
    left = {"pip download": "PyPI", "tar ": "carries to another machine what was downloaded"}
    with Reader(tmp_path, {"/opt/pacer": str(tmp_path / "opt")}, left_out=left) as reader:
        build = [sys.executable, str(ROOT / "tools" / "build.py"), "--once", str(wheels)]
        subprocess.run(build, check=True, capture_output=True)
        reader.run("cp -r dist pacer-wheels")
        reader.read(GUIDES / "install.md")
