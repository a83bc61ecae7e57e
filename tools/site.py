"""Builds the documentation of several versions as one static site, with a switch between them.

``python tools/site.py FOLDER [VERSION...]``: this checkout as ``latest``, and each version, by default all
that are tagged. In FOLDER, each has a folder of its own; ``versions.json`` is what the switch reads, and
``index.html`` leads to the newest release.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from packaging.version import Version

ROOT = Path(__file__).parents[1]
LATEST = "latest"
INDEX = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>PACER</title>
<meta http-equiv="refresh" content="0; url={folder}/"><link rel="canonical" href="{folder}/"></head>
<body><a href="{folder}/">The documentation of PACER</a></body></html>
"""

Build = Callable[[Path, Path, str], None]
"""Builds a checkout's pages into a folder, as those of a version."""


def main(folder: Path, versions: Sequence[str], build: Build) -> None:
    """Build the site anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    build(ROOT, folder / LATEST, LATEST)
    newest_first = sorted(versions, key=Version, reverse=True)
    for version in newest_first:
        with tempfile.TemporaryDirectory() as place:
            checkout = Path(place) / "pacer"
            _git("worktree", "add", "--quiet", "--detach", str(checkout), f"v{version}")
            try:
                build(checkout, folder / version, version)
            finally:
                _git("worktree", "remove", "--force", str(checkout))
    lay_out(folder, newest_first)


def lay_out(folder: Path, versions: Sequence[str]) -> None:
    """Write what is above the versions, of which the newest comes first."""
    releases = [one for one in versions if not Version(one).is_prerelease]
    shown = [{"folder": LATEST, "title": "latest"}]
    shown += [{"folder": one, "title": one} for one in versions]
    (folder / "versions.json").write_text(json.dumps(shown, indent=2) + "\n")
    (folder / "index.html").write_text(INDEX.format(folder=releases[0] if releases else LATEST))
    (folder / ".nojekyll").touch()  # else GitHub's pages leave out _static


def sphinx(checkout: Path, folder: Path, version: str) -> None:
    """Build pages by Sphinx, of the code that is in the checkout."""
    code = [checkout, *sorted(checkout.glob("plugins/*/src"))]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, code))}
    said = [] if version == LATEST else [f"-Drelease={version}", f"-Dversion={version}"]
    title = f"-Dhtml_title=PACER {version}"
    command = [sys.executable, "-m", "sphinx", "-q", "-E", title, *said, str(checkout / "docs"), str(folder)]
    subprocess.run(command, check=True, env=env)


def tagged() -> list[str]:
    """Give the versions that have a tag."""
    return [one.removeprefix("v") for one in _git("tag", "--list", "v[0-9]*").split()]


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2:] or tagged(), sphinx)
