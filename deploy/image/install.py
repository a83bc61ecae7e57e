"""Installs the core, a broker's transport and plugins from a folder of wheels: a step of the Dockerfile.

``python install.py BROKER_TYPE PLUGINS DIST VENV``, where DIST is what ``tools/build.py`` has made.
"""

from __future__ import annotations

import re
import subprocess
import sys
import venv
from pathlib import Path

TRANSPORTS = {"rabbitmq": "", "redis": "redis", "sqs": "sqs", "embedded": "embedded"}
"""By BROKER_TYPE the plugin that brings it; RabbitMQ is the core's own."""
WORD = re.compile(r"([^\s,\[\]]*)(?:\[([^\]]*)\])?")
"""A plugin, with extras or without; extras alone are the core's."""


def main(broker: str, plugins: str, dist: Path, target: Path) -> None:
    """Make a virtual environment with what is asked for, and have it tell what it has."""
    names = requirements(broker, plugins, dist)
    print(f"installing {', '.join(names)}", flush=True)
    venv.create(target, with_pip=True)
    python = str(target / "bin" / "python")
    run(python, "-m", "pip", "install", "--no-cache-dir", "-c", str(dist / "constraints.txt"), *names)
    run(python, "-m", "pip", "check")
    # Imports each plugin: what is missing ends the build, and not a night.
    run(str(target / "bin" / "pacer"), "plugins", "list")
    run(python, "-m", "pip", "uninstall", "--yes", "--quiet", "pip")


def requirements(broker: str, plugins: str, dist: Path) -> list[str]:
    """Give what pip is to install.

    Raises SystemExit where there is no such broker or plugin; an index may hold anybody's under that name.
    """
    if broker not in TRANSPORTS:
        raise SystemExit(f"BROKER_TYPE={broker} is none of {', '.join(TRANSPORTS)}")
    extras: dict[str, list[str]] = {}  # by plugin; those of the core by the name that is none
    for name, some in WORD.findall(f"{plugins} {TRANSPORTS[broker]}"):
        extras.setdefault(name, []).extend(one.strip() for one in some.split(",") if one.strip())
    wanted = sorted(extras.keys() - {""})
    there = {one.name.partition("-")[0].removeprefix("pacer_") for one in dist.glob("*.whl")} - {"core"}
    if unknown := [one for one in wanted if one not in there]:
        raise SystemExit(f"PLUGINS names {', '.join(unknown)}, and there are {', '.join(sorted(there))}")
    # `pacer` is the distribution of the demo, which has no prefix.
    names = {one: "pacer" if one == "pacer" else f"pacer-{one.replace('_', '-')}" for one in wanted}
    return [
        f"{name}[{','.join(dict.fromkeys(extras[one]))}]" if extras.get(one) else name
        for one, name in {"": "pacer-core", **names}.items()
    ]


def run(*command: str) -> None:
    """Run a step; where it fails, so does the build, with its own words alone."""
    if code := subprocess.run(command).returncode:
        raise SystemExit(code)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
