"""Installs each distribution from its wheel, alone with what it needs, on each Python there is, and looks.

``python tools/wheels.py dist [NAME...]``: in an environment of its own, `pip check` has nothing to say, every
module can be imported, `pacer --version` names the distribution, and `pacer plugins list` shows its plugin
at work.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NEWEST = range(11, 16)
IMPORTS = """
import importlib, os, pkgutil, re, secrets, sys
from importlib.metadata import requires
package = importlib.import_module(sys.argv[1])
wanted = requires(sys.argv[1].replace("_", "-")) or []
if any(re.match(r"django\\b", one, re.I) for one in wanted):  # reads settings before models
    os.environ["DJANGO_SETTINGS_MODULE"] = package.__name__ + ".settings"
    os.environ["SECRET_KEY"] = secrets.token_urlsafe(50)
    importlib.import_module("django").setup()
extras = {re.split(r"[^\\w-]", one)[0].replace("-", "_") for one in wanted if "extra ==" in one}
for one in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    # What is for its authors' own tests may need pytest.
    if {"tests", "testing", "fixtures", "__main__"} & set(one.name.split(".")):
        continue
    try:
        importlib.import_module(one.name)
    except ModuleNotFoundError as error:  # a part that an extra makes work, and nothing else imports
        if (error.name or "").split(".")[0] not in extras:
            raise
"""


def main(dist: Path, names: list[str]) -> None:
    """Try all distributions, or those that are named."""
    wheels = [
        one.name.partition("-")[0] for one in sorted(dist.glob("*.whl")) if not names or _name(one) in names
    ]
    if not wheels:
        raise SystemExit(f"no wheels in {dist}: nox -s build makes them")
    found = pythons()
    print(f"Pythons: {', '.join(found)}")
    for version, python in found.items():
        for wheel in wheels:
            began = time.monotonic()
            with tempfile.TemporaryDirectory(prefix="pacer-wheel-") as folder:
                alone(Path(folder), python, dist, wheel)
            print(f"{version} {wheel.replace('_', '-')}: {time.monotonic() - began:.1f} s", flush=True)


def _name(wheel: Path) -> str:
    return wheel.name.partition("-")[0].replace("_", "-")


def pythons() -> dict[str, str]:
    """Give the Pythons of this machine, by version: those on the path, and pyenv's."""
    found: dict[str, str] = {}
    for minor in NEWEST:
        candidates = [*Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python3.{minor}")]
        if (on_path := shutil.which(f"python3.{minor}")) is not None:
            candidates.append(Path(on_path))
        for one in candidates:
            if subprocess.run([str(one), "--version"], capture_output=True).returncode == 0:
                found[f"3.{minor}"] = str(one)
                break
    return found


def alone(folder: Path, python: str, dist: Path, wheel: str) -> None:
    """Install one wheel, and look."""
    own = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    passed = {key: value for key, value in os.environ.items() if key.startswith(("PIP_", "UV_", "SSL_"))}
    env = {**passed, **own}
    venv, name = str(folder / "venv"), wheel.replace("_", "-")
    bin_ = folder / "venv" / "bin"
    if (uv := shutil.which("uv")) is not None:
        env["UV_CACHE_DIR"] = _run([uv, "cache", "dir"], dict(os.environ)).strip()
        _run([uv, "venv", "-q", "--python", python, venv], env)
        pip, here = [uv, "pip"], ["--python", venv]
    else:
        _run([python, "-m", "venv", venv], env)
        pip, here = [str(bin_ / "pip")], []
    _run([*pip, "install", "-q", *here, "-c", str(dist / "constraints.txt"), name], env)
    _run([*pip, "check", *here], env)
    _run([str(bin_ / "python"), "-W", "error::DeprecationWarning:pacer", "-c", IMPORTS, wheel], env)
    versions = _run([str(bin_ / "pacer"), "--version"], env)
    listed = json.loads(_run([str(bin_ / "pacer"), "plugins", "list", "--json"], env))
    broken = [one for one in listed["plugins"] if one["state"] != "active"]
    if broken or listed["conflicts"]:
        raise SystemExit(f"{name} on {python}: {broken or listed['conflicts']}")
    if name in {one["distribution"] for one in listed["plugins"]} and f"{name} " not in versions:
        raise SystemExit(f"pacer --version does not name {name}:\n{versions}")


def _run(command: list[str], env: dict[str, str]) -> str:
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2:])
