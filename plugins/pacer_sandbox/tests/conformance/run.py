#!/usr/bin/env python3
"""Run python-icat's own test-suite, unmodified, against a sandbox.

    run.py [PYTEST ARGUMENT ...]

Downloads the sdist from PyPI with pip, unpacks it in a temporary folder, and gives its tests what they
expect of their surroundings: a configuration, the time zone in which their reference data were written, and
the locale en_US.UTF-8 (on a machine without it, the locale C.UTF-8 under that name). Needs pip, setuptools,
pytest, pytest-dependency, PyYAML and lxml beside the sandbox. Without arguments the numbers have to be those
that a real ICAT without a data service shows.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from pacer_sandbox import IcatSandbox

VERSION = "1.7.0"
EXPECTED = {"passed": 435, "skipped": 54}
ZONE = "Europe/Berlin"
USERS = {
    "root": ("simple", "root"),
    "useroffice": ("simple", "useroffice"),
    "ingest": ("simple", "dataingest"),
    **{name: ("db", name) for name in ("acord", "ahau", "jbotu", "jdoe", "nbour", "rbeck")},
}


def main(arguments: list[str]) -> int:
    """Run the suite; return 0 if it shows what it should."""
    with tempfile.TemporaryDirectory(prefix="icat-conformance-") as folder:
        tests = unpack(Path(folder))
        with IcatSandbox(zone=ZONE) as icat:
            (tests / "data" / "icat.cfg").write_text(configuration(icat.wsdl))
            counts = run(tests, arguments, Path(folder))
    print(" ".join(f"{count} {what}" for what, count in counts.items()))
    if arguments:
        return 0 if not counts.keys() & {"failed", "error", "errors"} else 1
    if counts != EXPECTED:
        print(f"expected: {EXPECTED}")
        return 1
    return 0


def unpack(folder: Path) -> Path:
    """Download the sdist and return its folder of tests, complete with scripts and data."""
    download = [
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-binary",
        ":all:",
        "--no-build-isolation",
    ]
    call(folder, *download, f"python-icat=={VERSION}")
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    (source,) = (path for path in folder.iterdir() if path.is_dir())
    call(source, "setup.py", "--quiet", "build_test")
    return source / "tests"


def call(folder: Path, *command: str) -> None:
    """Run Python in a folder."""
    subprocess.run([sys.executable, *command], cwd=folder, check=True)


def configuration(url: str) -> str:
    """Return python-icat's configuration for all users of the suite."""
    sections = [
        f"[{section}]\nurl = {url}\nauth = {auth}\nusername = {name}\npassword = secret\n"
        for section, (auth, name) in USERS.items()
    ]
    return "\n".join(sections)


def run(tests: Path, arguments: list[str], folder: Path) -> dict[str, int]:
    """Run pytest in the folder of tests and return its counts."""
    environment = {**os.environ, "TZ": ZONE, **locale(folder)}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    done = subprocess.Popen(command, cwd=tests, env=environment, stdout=subprocess.PIPE, text=True)
    last = ""
    for line in done.stdout or ():
        print(line, end="")
        last = line
    done.wait()
    return {what: int(count) for count, what in re.findall(r"(\d+) (passed|failed|skipped|errors?)", last)}


def locale(folder: Path) -> dict[str, str]:
    """Return the environment in which the locale en_US.UTF-8 exists."""
    known = (
        subprocess.run(["locale", "-a"], check=True, capture_output=True, text=True).stdout.lower().split()
    )
    if "en_us.utf8" in known or "en_us.utf-8" in known:
        return {}
    compiled = next(iter(Path("/usr/lib/locale").glob("C.[uU][tT][fF]*8")), None)
    if compiled is None:
        raise SystemExit("neither en_US.UTF-8 nor C.UTF-8 is installed: install Debian's package 'locales'")
    path = folder / "locale"
    shutil.copytree(compiled, path / "en_US.UTF-8")
    return {"LOCPATH": str(path)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
