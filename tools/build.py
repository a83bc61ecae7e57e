"""Builds wheels and sdists of all distributions twice: the same commit gives the same bytes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
DISTRIBUTIONS = [ROOT, *sorted(file.parent for file in ROOT.glob("plugins/*/pyproject.toml"))]


def main(folder: Path) -> None:
    """Build into a folder, which is emptied before."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    epoch = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    env = {**os.environ, "SOURCE_DATE_EPOCH": epoch.stdout.strip()}
    with tempfile.TemporaryDirectory() as other:
        for target in (folder, Path(other)):
            for one in DISTRIBUTIONS:  # the wheel is built from the sdist, as whoever has only that would
                command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target), str(one)]
                subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL)
        differ = sorted(set(digests(folder).items()) ^ set(digests(Path(other)).items()))
    if differ:
        names = ", ".join(sorted({name for name, _ in differ}))
        raise SystemExit(f"built twice from the same commit, these differ: {names}")
    made = len(list(folder.iterdir()))
    (folder / "constraints.txt").write_text(constraints(folder))
    print(f"{made} files in {folder}, the same when built again")


def constraints(folder: Path) -> str:
    """Say that pip takes these wheels and no others of these names: an index may hold some of anybody's."""
    found = digests(folder)
    return "".join(
        f"{one.name.partition('-')[0].replace('_', '-')} @ {one.as_uri()}#sha256={found[one.name]}\n"
        for one in sorted(folder.glob("*.whl"))
    )


def digests(folder: Path) -> dict[str, str]:
    """Give the SHA-256 of each file."""
    return {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in folder.iterdir()}


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
