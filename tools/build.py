"""Builds wheels and sdists of all distributions twice: the same commit gives the same bytes.

``python tools/build.py [--once] FOLDER``; where there is no git, SOURCE_DATE_EPOCH says the commit's time.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
DISTRIBUTIONS = [ROOT, *sorted(file.parent for file in ROOT.glob("plugins/*/pyproject.toml"))]


def main(folder: Path, *, once: bool = False) -> None:
    """Build into a folder, which is emptied before."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    build(folder)
    again = "built once" if once else "the same when built again"
    if not once:
        with tempfile.TemporaryDirectory() as other:
            build(Path(other))
            differ = sorted(set(digests(folder).items()) ^ set(digests(Path(other)).items()))
        if differ:
            names = ", ".join(sorted({name for name, _ in differ}))
            raise SystemExit(f"built twice from the same commit, these differ: {names}")
    made = len(list(folder.iterdir()))
    (folder / "constraints.txt").write_text(constraints(folder))
    print(f"{made} files in {folder}, {again}")


def build(folder: Path) -> None:
    """Build each distribution; the wheel is built from the sdist, as whoever has only that would."""
    env = {**os.environ, "SOURCE_DATE_EPOCH": epoch()}
    for one in DISTRIBUTIONS:
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(one)]
        subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL)


def epoch() -> str:
    """Give the time of the commit; an image is built from a tree without git, and is told it."""
    if not (ROOT / ".git").exists() and (told := os.environ.get("SOURCE_DATE_EPOCH")):
        return told
    command = ["git", "log", "-1", "--format=%ct"]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


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
    main(Path(sys.argv[-1]).resolve(), once="--once" in sys.argv[1:-1])
