"""The plugin of the examples: built to a wheel, installed from it, and tested as its authors would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import ROOT

EXAMPLE = ROOT / "examples" / "facility-plugin"


def run(folder: Path, *command: str | Path, path: str = "") -> str:
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [path, os.environ.get("PYTHONPATH")]))}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_wheel_passes_its_tests_beside_the_plugin_of_icat(tmp_path: Path) -> None:
    copy, here = tmp_path / "source", tmp_path / "here"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "dist"))
    pip = ("pip", "--disable-pip-version-check", "--no-input")
    run(copy, *pip, "wheel", "-q", "--no-index", "--no-deps", "--no-build-isolation", "-w", tmp_path, ".")
    (wheel,) = tmp_path.glob("shipments_pacer-*.whl")
    run(tmp_path, *pip, "install", "-q", "--no-index", "--no-deps", "--target", here, wheel)
    shutil.rmtree(copy / "src")  # what is tested is the wheel
    said = run(copy, "pytest", "-q", "-p", "no:pyicat_plus", "-p", "no:cacheprovider", path=f"{here}")
    assert " passed" in said
    assert "skipped" not in said
