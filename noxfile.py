"""The project's commands. ``nox -l`` lists them; what follows ``--`` goes to pytest, or to the demo."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

import nox

if sys.version_info < (3, 11):  # noqa: UP036 - whoever has an older one shall read why
    raise SystemExit(
        f"PACER needs Python 3.11 or newer, and nox runs on {sys.version.split()[0]}: "
        "make the virtual environment with a newer one (python3.11 -m venv .venv)"
    )

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "tests", "docs", "changelog"]

ROOT = Path(__file__).parent.resolve()
DISTRIBUTIONS = [ROOT, *sorted(file.parent for file in ROOT.glob("plugins/*/pyproject.toml"))]
PACKAGES = ["pacer_core", *(folder.name for folder in DISTRIBUTIONS[1:])]

# What depends on the broker's version: the contract, faults, keys, dead queues, and its limits.
RABBITMQ4 = [
    "tests/contract",
    "tests/faults",
    "tests/e2e/dead_letters",
    *(
        f"tests/e2e/test_{name}.py"
        for name in (
            "bad_messages_at_rabbitmq",
            "doctor",
            "forwarding",
            "limits",
            "partitions",
            "refusals",
            "stand_by",
            "status",
            "topology",
            "waiting",
        )
    ),
    *(
        f"plugins/{name}/tests/test_through_rabbitmq.py"
        for name in ("pacer_dashboard_log", "pacer_files", "pacer_kafka")
    ),
    "plugins/pacer_pacifica/tests/test_kills.py",
]
REDIS = ["plugins/pacer_redis", "tests/e2e/test_redis_runs.py", "tests/faults/test_redis.py"]

# pip trusts the authorities that the machine trusts, such as those of a site's proxy; uv has to be told.
if Path("/etc/ssl/certs/ca-certificates.crt").exists():
    os.environ.setdefault("UV_SYSTEM_CERTS", "true")


def install(session: nox.Session, *groups: str, ours: bool = True) -> None:
    """Install dependency groups (the root's, and a plugin's own of the same name) and our distributions.

    An environment is left as it is while no pyproject file changes; without ``.nox/`` all are made anew.
    """
    files = [folder / "pyproject.toml" for folder in DISTRIBUTIONS]
    wanted: list[str] = []
    for file in files:
        project = nox.project.load_toml(file)
        if here := [group for group in groups if group in project.get("dependency-groups", {})]:
            wanted += nox.project.dependency_groups(project, *here)
    if ours:
        for folder in DISTRIBUTIONS:
            wanted += ["-e", str(folder)]

    stamp = hashlib.sha256(repr([wanted, *(file.read_bytes() for file in files)]).encode()).hexdigest()
    mark = Path(str(session.virtualenv.location)) / "installed"
    if mark.is_file() and mark.read_text() == stamp:
        session.log("nothing to install: no pyproject.toml has changed")
        return
    session.install(*wanted)
    mark.write_text(stamp)


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests, in twice as many processes as there are cores; ``-- -n 0`` for one.

    With ``PACER_COVERAGE=1`` measure the coverage of the core and of every plugin; it takes a third more CPU.
    """
    install(session, "test")
    env: dict[str, str | None] = {}
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):
        # Tests start PACER a thousand times, which takes twice as long where everything is compiled anew.
        env = {"PYTHONDONTWRITEBYTECODE": None, "PYTHONPYCACHEPREFIX": _scratch(session, "bytecode")}
    # A file's tests stay together, in their order: they share servers.
    arguments = ["--dist=loadfile", "--no-loadscope-reorder", "--durations=20", "--durations-min=2"]
    if not any(one.startswith(("-n", "--numprocesses")) for one in session.posargs):
        # Most tests wait most of the time; each process has servers of its own, which take memory.
        arguments.append(f"-n{min(2 * (os.cpu_count() or 1), 8)}")
    arguments += session.posargs
    if os.environ.get("PACER_COVERAGE") != "1":
        session.run("pytest", *arguments, env=env)
        return
    # Absolute, for the processes that tests start elsewhere. Not pytest-cov: it starts after pytest's
    # plugins, one of which is ours, have been imported.
    env["COVERAGE_FILE"] = _scratch(session, "coverage")
    session.run("coverage", "erase", env=env)
    session.run("coverage", "run", f"--source={','.join(PACKAGES)}", "-m", "pytest", *arguments, env=env)
    session.run("coverage", "combine", "--quiet", env=env)
    session.run("coverage", "report", env=env)


def _scratch(session: nox.Session, name: str) -> str:
    """Give the path of a file or folder of this session's own, which need not be there yet."""
    return str(Path(session.create_tmp()).resolve() / name)


def long_forms() -> list[str]:
    """Give the modules that have a long form, but for those in `tests/faults` and those of `image`."""
    found = (*ROOT.glob("plugins/*/tests/**/test_*.py"), *ROOT.glob("tests/**/test_*.py"))
    names = (file.relative_to(ROOT) for file in sorted(found) if "tests.at_length" in file.read_text())
    return [str(name) for name in names if name.parts[:2] not in {("tests", "faults"), ("tests", "deploy")}]


@nox.session(name="faults-long")
def faults_long(session: nox.Session) -> None:
    """Run all that has a long form at full length, and print what became of every message."""
    install(session, "test")
    # The table comes last, and is what this is run for.
    session.run("pytest", *long_forms(), "tests/faults", "--long", "--durations=10", *session.posargs)


@nox.session(name="rabbitmq4")
def rabbitmq4(session: nox.Session) -> None:
    """Run what a broker's version matters to against the RabbitMQ 4 of ``PACER_RABBITMQ`` (half an hour)."""
    if not os.environ.get("PACER_RABBITMQ"):
        session.error("PACER_RABBITMQ names no other system: tests/services/debian.sh FOLDER makes one")
    install(session, "test")
    session.run("pytest", "-n0", *RABBITMQ4, *session.posargs, env={"PACER_REQUIRE_SERVICES": "1"})


@nox.session
def redis(session: nox.Session) -> None:
    """Run what a Redis' version matters to against the Redis or Valkey of ``PACER_REDIS`` (five minutes)."""
    if not os.environ.get("PACER_REDIS"):
        session.error("PACER_REDIS names no other server, such as /opt/trixie/usr/bin/valkey-server")
    install(session, "test")
    session.run("pytest", "-n0", *REDIS, *session.posargs, env={"PACER_REQUIRE_SERVICES": "1"})


@nox.session
def image(session: nox.Session) -> None:
    """Execute deploy/Dockerfile's steps without an engine, and run what they make (root; five minutes)."""
    install(session, "test")
    session.run("pytest", "-n0", "-rs", "--long", "tests/deploy/test_image.py", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """Run the main job on embedded parts: messages in, a catalogue filled."""
    session.warn(
        "installing PACER and its plugins, at the first time for up to a minute; then the demo begins"
    )
    install(session)
    # With the PATH of who called: the demo ends with commands as they work there.
    path = f"PATH={os.environ['PATH']}"
    session.run("env", path, f"{session.bin}/pacer", "demo", *session.posargs, external=True)


@nox.session
def build(session: nox.Session) -> None:
    """Build wheels and sdists of all distributions into dist/, twice, and check them."""
    install(session, "release", ours=False)
    session.run("python", "tools/build.py", "dist")
    files = sorted(str(one) for one in (ROOT / "dist").glob("*-*"))
    session.run("twine", "check", "--strict", *files)
    found = [one for one in files if one.endswith(".whl")]
    django = [one for one in found if "/pacer_dashboard-" in one]
    session.run("check-wheel-contents", *(one for one in found if one not in django))
    # W004 is a name that no import statement takes: Django's migrations begin with a number.
    session.run("check-wheel-contents", "--ignore", "W004", *django)


@nox.session
def wheels(session: nox.Session) -> None:
    """Install each distribution alone, from dist/, on each Python there is; ``-- NAME...`` for some."""
    session.run("python", "tools/wheels.py", "dist", *session.posargs)


@nox.session
def release(session: nox.Session) -> None:
    """Write a version and the changelog, commit, tag, and build; ``-- 0.2.0``. Publishes nothing."""
    install(session, "release", "changelog", ours=False)
    session.run("python", "tools/release.py", *session.posargs)
    session.notify("build")


@nox.session
def audit(session: nox.Session) -> None:
    """List what everything consists of (sbom.json), and ask whether any of it is known to be bad."""
    install(session, "audit")
    session.run(
        "cyclonedx-py",
        "environment",
        "--output-reproducible",
        "-o",
        "sbom.json",
        str(session.virtualenv.location),
    )
    answer = Path(session.create_tmp()) / "audit.json"
    answer.unlink(missing_ok=True)
    # 1 is both: something is known to be bad, and nobody could be asked.
    session.run(
        *("pip-audit", "--skip-editable", "--progress-spinner", "off", "-f", "json", "-o", str(answer)),
        success_codes=[0, 1],
    )
    if not answer.is_file():
        session.warn("nothing could be audited: PyPI does not answer")
        return
    asked = json.loads(answer.read_text())["dependencies"]
    if bad := [f"{one['name']} {one['version']}" for one in asked if one.get("vulns")]:
        session.error(f"known to be vulnerable: {', '.join(bad)}")
    # pip-audit passes over what PyPI does not tell it about, as behind a mirror of packages alone.
    others = [one["name"] for one in asked if "skip_reason" in one and not one["name"].startswith("pacer")]
    if others:
        session.warn(f"{len(others)} of {len(asked)} could not be audited: {', '.join(others[:5])} ...")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure consumers on a private RabbitMQ; ``-- --quick`` in short, ``-- ROW...`` for some rows."""
    install(session, "bench")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session(name="icat-golden")
def icat_golden(session: nox.Session) -> None:
    """Play the recorded conversations of a real ICAT, or the files named after ``--``, against a sandbox."""
    install(session, "test")
    session.run("python", "plugins/pacer_sandbox/tests/golden/play.py", *session.posargs)


@nox.session(name="scicat-golden")
def scicat_golden(session: nox.Session) -> None:
    """Play the recorded answers of a real SciCat, or the files named after ``--``, against a stand-in."""
    install(session, "test")
    session.run("python", "plugins/pacer_scicat/tests/golden/play.py", *session.posargs)


@nox.session(name="icat-conformance")
def icat_conformance(session: nox.Session) -> None:
    """Run python-icat's own tests, fetched from PyPI and unmodified, against a sandbox (four minutes)."""
    install(session, "test", "conformance")
    session.run("python", "plugins/pacer_sandbox/tests/conformance/run.py", *session.posargs)


@nox.session(name="datacite-conformance")
def datacite_conformance(session: nox.Session) -> None:
    """Check the metadata of DOIs by DataCite's own XSD, fetched from PyPI."""
    install(session, "test", "conformance")
    session.run("python", "-m", "plugins.pacer_datacite.tests.conformance.run", *session.posargs)


@nox.session(name="pacifica-conformance")
def pacifica_conformance(session: nox.Session) -> None:
    """Run Pacifica's cases against its own services from PyPI, where Python 3.8 is found (five minutes)."""
    install(session, "test", "conformance")
    session.run("python", "-m", "plugins.pacer_pacifica.tests.conformance.run", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting."""
    install(session, "lint", ours=False)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session(name="format")
def format_(session: nox.Session) -> None:
    """Correct what can be corrected by itself."""
    install(session, "lint", ours=False)
    session.run("ruff", "check", "--fix")
    session.run("ruff", "format")


@nox.session
def types(session: nox.Session) -> None:
    """Check types, strictly: the core, every plugin, and all tests."""
    install(session, "types", "test", "bench")
    folders = ["pacer_core", "tests", "benchmarks", "deploy/image", "conftest.py"]
    for folder in DISTRIBUTIONS[1:]:
        folders += [
            str(path.relative_to(ROOT)) for name in ("src", "tests") if (path := folder / name).is_dir()
        ]
    # Where a plugin's packages begin; mypy's own configuration knows no glob.
    bases = ":".join(
        [
            *(str(folder / "src") for folder in DISTRIBUTIONS[1:]),
            str(ROOT / "benchmarks/plugin"),
            str(ROOT / "tests/transports/pacer_folder/src"),
        ]
    )
    session.run("mypy", *folders, env={"MYPYPATH": bases})
    with session.chdir("examples/facility-plugin"):  # as its authors would, with the settings of its own
        session.run("mypy", "--cache-dir", str(ROOT / ".mypy_cache"))


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    install(session, "docs")
    session.run("sphinx-build", "-q", "-E", "-W", "--keep-going", "-n", "docs", "docs/_build/html")


@nox.session
def site(session: nox.Session) -> None:
    """Build the documentation of all tagged versions as one static site, into docs/_build/site."""
    install(session, "docs")
    session.run("python", "tools/site.py", "docs/_build/site", *session.posargs)


@nox.session
def links(session: nox.Session) -> None:
    """Ask whether what the documentation refers to elsewhere is still there (the internet)."""
    install(session, "docs")
    session.run("sphinx-build", "-q", "-E", "-b", "linkcheck", "docs", "docs/_build/links")


@nox.session
def changelog(session: nox.Session) -> None:
    """Show what the next release's section of the changelog would be; a fragment out of place is an error."""
    install(session, "changelog", ours=False)
    session.run("towncrier", "build", "--draft", "--version", "next")
