"""The chart, rendered: by Go's own templates where there is no helm."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "pacer"
RENDER = Path(__file__).parent / "render" / "main.go"
RELEASE = {"Namespace": "facility", "Service": "Helm"}

Documents = dict[str, dict[str, Any]]
"""What was rendered, by kind: one of each, and one more of the dashboard, as ``Deployment dashboard``."""


class RefusedError(Exception):
    """What the chart says about values that it does not take."""


def loaded(text: str) -> Any:
    """Read YAML as plain data."""
    return YAML(typ="safe", pure=True).load(text)


def values(changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Give the chart's values with changes, merged as helm merges them."""
    merged: dict[str, Any] = loaded((CHART / "values.yaml").read_text())
    _merge(merged, changes or {})
    return merged


def _merge(into: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for name, value in changes.items():
        if isinstance(value, Mapping) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = deepcopy(value)


def build(folder: Path) -> Path:
    """Build the renderer; a test is skipped where there is no Go, and fails where servers are required."""
    if shutil.which("go") is None:
        told = "the chart is rendered by a Go program, and go is not installed (Debian: golang-go)"
        if os.environ.get("PACER_REQUIRE_SERVICES") == "1":
            pytest.fail(f"{told} (required, since PACER_REQUIRE_SERVICES=1)", pytrace=False)
        pytest.skip(told)
    program = folder / "render"
    command = ["go", "build", "-o", str(program), str(RENDER)]
    # Nothing but Go's own library: no module is fetched.
    env = {**os.environ, "GO111MODULE": "off", "GOFLAGS": "", "GOTOOLCHAIN": "local"}
    subprocess.run(command, check=True, env=env, cwd=folder)
    return program


def render(
    program: Path, changes: Mapping[str, Any] | None = None, release: str = "test"
) -> tuple[Documents, str]:
    """Render the chart with changes to its values; give its documents, and its notes.

    Raises RefusedError where the chart does.
    """
    chart = loaded((CHART / "Chart.yaml").read_text())
    about = {name[0].upper() + name[1:]: value for name, value in chart.items()}
    files = {one.name: one.read_text() for one in sorted((CHART / "templates").iterdir())}
    about_release = {**RELEASE, "Name": release}
    given = {"files": files, "data": {"Values": values(changes), "Release": about_release, "Chart": about}}
    done = subprocess.run([str(program)], input=json.dumps(given), capture_output=True, text=True)
    if done.returncode:
        raise RefusedError(done.stderr.strip())
    rendered: dict[str, str] = json.loads(done.stdout)
    notes = rendered.pop("NOTES.txt")
    return by_kind("\n---\n".join(rendered.values())), notes


def by_kind(text: str) -> Documents:
    """Give the documents of a text with several."""
    found = [one for one in YAML(typ="safe", pure=True).load_all(text) if one]
    kinds = {
        " ".join(
            [one["kind"], *filter(None, [one["metadata"]["labels"].get("app.kubernetes.io/component")])]
        ): one
        for one in found
    }
    assert len(kinds) == len(found), "two documents of one kind"
    return kinds
