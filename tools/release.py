"""Makes a release: the version everywhere, the changelog, a commit and a tag. Nothing is published.

``python tools/release.py 0.2.0``, in a clean checkout. What it has done is undone by
``git tag -d v0.2.0 && git reset --hard HEAD~``.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)((?:a|b|rc)\d+)?")
REQUIRED = re.compile(r"((?<![\w-])pacer[\w-]*(?:\[[\w,]+\])?)>=[\d.]+\w*,<[\d.]+")
NAMED = r'((?<![\w-])pacer(?:-[a-z]+)?(?: +|==|:)|PACER |tag: ")'
SHOWN = [
    *(one for one in ROOT.glob("docs/**/*.md") if not one.name.startswith(("benchmarks", "decisions"))),
    *ROOT.glob("examples/*/pyproject.toml"),
]
"""What speaks of the version; what was measured, and decided, was so with an earlier one."""


def main(version: str) -> None:
    """Make a release of that version."""
    if not (match := VERSION.fullmatch(version)):
        raise SystemExit(f"{version!r} is no version: write one like 0.2.0 or 0.2.0rc1")
    if git("status", "--porcelain"):
        raise SystemExit("the checkout has changes: commit them, or put them away with git stash")
    if git("tag", "--list", f"v{version}"):
        raise SystemExit(f"v{version} is there already")
    before = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    major, minor = int(match[1]), int(match[2])
    wanted = f">={version if match[4] else f'{major}.{minor}'},<{major}.{minor + 1}"
    for file in (ROOT / "pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml")):
        text = re.sub(r'^version = ".*"$', f'version = "{version}"', file.read_text(), count=1, flags=re.M)
        file.write_text(REQUIRED.sub(rf"\g<1>{wanted}", text))
    for file in SHOWN:  # what readers install, and what it then says
        text = REQUIRED.sub(rf"\g<1>{wanted}", file.read_text())
        file.write_text(re.sub(rf"{NAMED}{re.escape(before)}\b", rf"\g<1>{version}", text))
    module = ROOT / "pacer_core/__init__.py"
    module.write_text(
        re.sub(r'^__version__ = ".*"$', f'__version__ = "{version}"', module.read_text(), flags=re.M)
    )
    chart = ROOT / "deploy/helm/pacer/Chart.yaml"  # its own version is Helm's kind: 0.2.0-rc1
    own = ".".join(match.group(1, 2, 3)) + (f"-{match[4]}" if match[4] else "")
    text = re.sub("^version: .*$", f"version: {own}", chart.read_text(), flags=re.M)
    chart.write_text(re.sub("^appVersion: .*$", f'appVersion: "{version}"', text, flags=re.M))
    subprocess.run(
        [sys.executable, "-m", "towncrier", "build", "--yes", "--version", version], cwd=ROOT, check=True
    )
    git("add", "--all")
    git("commit", "--quiet", "--message", f"Release {version}")
    git("tag", "--annotate", f"v{version}", "--message", f"PACER {version}")
    print(f"v{version} is tagged; `nox -s build` builds it, and `git push --follow-tags` makes it known")


def git(*arguments: str) -> str:
    """Run git, and give what it prints."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) == 2 else "")
