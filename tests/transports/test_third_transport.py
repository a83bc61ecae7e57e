"""A transport that somebody else has written, installed from its own folder."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pacer_core.plugins import load
from tests.lab import PLUGIN
from tests.support import Site, eventually

HERE = Path(__file__).parent / "pacer_folder"
CONFIG = """
brokers: {{main: {{protocol: folder, folder: {folder}{more}}}}}
queues: [{{name: jobs{queue}}}, {{name: children}}]
consumers: [{{type: jobs, queues: [jobs]}}, {{type: follow-ups, queues: [children]}}]
processes: {{stateFolder: {folder}/state}}
"""


@pytest.fixture
def third(site: Site) -> Site:
    """A site in which the transport is installed, with a plugin that has work to do."""
    wheels = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*wheels, "--target", str(site.folder), str(HERE)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    site.install("lab-pacer", PLUGIN)
    return site


def configure(site: Site, folder: Path, more: str = "", queue: str = "") -> Path:
    return site.write(CONFIG.format(folder=folder, more=more, queue=queue))


def test_its_messages_are_sent_and_handled(third: Site, tmp_path: Path) -> None:
    file = configure(third, tmp_path, ", label: jobs")
    body = third.write('{"name": "a", "first": "once retry"}', "job.json")
    assert third.pacer("send", "-c", file, "-n", "jobs", body).code == 0
    assert (tmp_path / "jobs.broker").exists()
    running = third.start("run", "-c", file)
    effects = third.folder / "effects"
    eventually(lambda: effects.exists() and "second a 2" in effects.read_text(), what=lambda: running.printed)
    status = json.loads(third.pacer("status", "--json", "-c", file).out)
    assert status["broker"]["address"] == f"folder:{tmp_path}#jobs"
    assert running.end() == 0
    assert third.pacer("dead", "list", "-c", file).code == 0
    assert third.pacer("doctor", "-c", file).code == 0


def test_it_is_listed_with_the_other_transports(third: Site) -> None:
    listed = json.loads(third.pacer("plugins", "list", "--json").out)["plugins"]
    offers = {one["name"]: one["registers"].get("transports") for one in listed}
    assert offers["core"] == ["amqp", "amqps"]
    assert offers["folder"] == ["folder"]
    assert "transports: folder" in third.pacer("plugins", "list").out


def test_what_it_cannot_do_and_what_its_options_refuse_are_problems_at_their_place(
    third: Site, tmp_path: Path
) -> None:
    done = third.pacer(
        "config", "check", "-c",
        configure(third, tmp_path, ", labl: a, port: 5672", ", type: classic, priorityEnabled: true"),
    )  # fmt: skip
    assert "unknown key 'labl' (did you mean 'label'?)" in done.out
    assert re.search("'port' says nothing: it is a key of amqp, amqps.*, not of folder", done.out)
    assert "protocol 'folder' cannot let one message overtake another" in done.out
    done = third.pacer("config", "check", "-c", configure(third, tmp_path, ", label: a/b"))
    assert "error: 'label' is not accepted: give letters and digits" in done.out
    file = configure(third, tmp_path / "none")
    done = third.pacer("send", "-c", file, "-n", "jobs", third.write("{}", "a.json"))
    assert f"there is no folder '{tmp_path / 'none'}': make it" in done.err


def test_two_plugins_with_one_protocol_are_a_conflict_that_names_both(third: Site, tmp_path: Path) -> None:
    third.install(
        "other-folder",
        """
        from attrs import evolve
        from pacer_core import hookimpl
        from pacer_folder.plugin import FOLDER

        @hookimpl
        def pacer_transports():
            return [FOLDER, evolve(FOLDER, protocols=("amqp",))]
        """,
    )
    done = third.pacer("config", "check", "-c", configure(third, tmp_path))
    assert "'folder' (transports) is registered by pacer-folder 2.3 and by other-folder 1.0" in done.out
    assert "'amqp' (transports) is registered by pacer-core" in done.out


def test_a_protocol_of_a_plugin_that_fails_is_answered_with_its_failure(site: Site, tmp_path: Path) -> None:
    site.install("lab-pacer", PLUGIN)
    site.install("pacer-folder", "import no_such_client")
    done = site.pacer("config", "check", "-c", configure(site, tmp_path))
    installed = ", ".join(sorted({"amqp", "amqps", *load().transports}))
    assert f"unknown protocol 'folder'; installed: {installed}; plugin 'pacer_folder'" in done.out
    assert "No module named 'no_such_client'" in done.out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("protocols=()", "the transport of no protocol: give it a protocol"),
        ("connect=None", "give it a protocol and a function 'connect'"),
        ("options=dict", "its options should be an attrs class"),
        ("options=Named", "its options cannot have name, which every broker has"),
        (
            "capabilities=evolve(FOLDER.capabilities, heartbeats=True)",
            "with heartbeats its options need 'heartbeat'",
        ),
    ],
)
def test_a_transport_that_could_not_work_is_a_failure_of_its_plugin(
    third: Site, change: str, said: str
) -> None:
    third.install(
        "half-done",
        f"""
        from attrs import evolve, frozen
        from pacer_core import hookimpl
        from pacer_folder.plugin import FOLDER

        @frozen
        class Named:
            name: str

        @hookimpl
        def pacer_transports():
            return [evolve(FOLDER, **{{"protocols": ("half",)}} | dict({change}))]
        """,
    )
    assert said in third.pacer("plugins", "list").out


def test_it_runs_the_tests_of_the_contract_from_its_own_folder(third: Site) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", HERE / "pyproject.toml", HERE / "tests"],
        cwd=third.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "skipped" in done.stdout  # what needs priorities
