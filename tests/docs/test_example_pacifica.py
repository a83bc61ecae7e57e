"""The example of bundles over HTTP, as its guide says to run it."""

import subprocess
import sys
from pathlib import Path

from tests.docs.pages import ROOT


def test_the_example_ends_in_the_archive_and_in_icat_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples/pacifica/run.py")],
        capture_output=True,
        cwd=tmp_path,
        env={"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []
    assert "job 1: OK, ingest metadata" in done.stdout
    assert "archive/jobs/1/raw/scan_2.dat" in done.stdout
    assert "In ICAT: dataset run17 of 20250330096, sample Lysozyme" in done.stdout
