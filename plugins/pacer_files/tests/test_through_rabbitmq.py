"""Folders in front of a real broker: processes are killed at each step, brokers restarted, folders large."""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.at_length import Scale, long
from tests.lab import Lab
from tests.services import RabbitMQ
from tests.support import Running, Site, eventually

KILLER = """
    import os, signal
    from pathlib import Path
    from pacer_core import ServiceContext

    KILL = Path(__file__).parent.parent / "kill"

    def at(step, count):
        wanted = KILL.read_text().split() if KILL.exists() else ["", "0"]
        if wanted == [step, str(count)]:
            KILL.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    rename, publish, counts = Path.rename, ServiceContext.publish, {}

    def counted(step, call):
        counts[step] = number = counts.get(step, 0) + 1
        at(f"before-{step}", number)
        result = call()
        at(f"after-{step}", number)
        return result

    def renamed(path, target):
        return counted(f"moving-to-{Path(target).parent.name}", lambda: rename(path, target))

    def published(ctx, *arguments, **more):
        return counted("publishing", lambda: publish(ctx, *arguments, **more))

    Path.rename, ServiceContext.publish = renamed, published
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to be watched."""
    path = tmp_path / "ingest"
    path.mkdir()
    return path


Run = Callable[..., Running]


@pytest.fixture
def run(lab: Lab, folder: Path) -> Run:
    """Start PACER with that folder."""

    def run(*, instances: int = 1, **options: Any) -> Running:
        given = "".join(
            f", {name}: {value}" for name, value in ({"settle": 0, "rescan": 0.2} | options).items()
        )
        files = f"{{folders: [{{path: {folder}, to: inbox}}]{given}}}"
        services = f"services: [{{type: files, instances: {instances}, options: {files}}}]"
        lab.configure(queue="name: jobs}, {name: inbox", more=services)
        return lab.site.start("run", "-c", lab.file)

    return run


def put(folder: Path, *names: str) -> None:
    """Put files there."""
    for name in names:
        (folder / f".{name}").write_text(name)
        (folder / f".{name}").rename(folder / name)


def names(count: int) -> list[str]:
    """Give names of files."""
    return [f"{number:05}.xml" for number in range(count)]


def listed(folder: Path) -> list[str]:
    """Give all files of a folder and below it, but the lock."""
    return sorted(f"{one.relative_to(folder)}" for one in folder.rglob("*.xml*") if one.is_file())


def more_than(count: int, folder: Path) -> bool:
    """Say whether there are more files in a folder."""
    return len(list(folder.glob("*"))) > count


def done(count: int) -> list[str]:
    """Say what is there when all files are done."""
    return [f"done/{name}" for name in names(count)]


def received(lab: Lab) -> Counter[tuple[str, str]]:
    """Take what has come in: by body and message id."""
    return Counter((bytes(one.body).decode(), one.properties["message_id"]) for one in lab.take("inbox"))


def all_done(folder: Path, count: int, running: Running, seconds: float = 90) -> None:
    """Wait until all files are done."""
    eventually(lambda: listed(folder) == done(count), seconds, lambda: f"{listed(folder)}\n{running.printed}")


@pytest.mark.parametrize(
    ("step", "twice"),
    [
        ("before-moving-to-taken", 0),
        ("after-moving-to-taken", 0),
        ("before-publishing", 0),
        ("after-publishing", 1),
        ("before-moving-to-done", 1),
        ("after-moving-to-done", 0),
    ],
)
def test_a_kill_at_any_step_loses_nothing_and_sends_one_file_twice_at_most(
    site: Site, lab: Lab, folder: Path, run: Run, step: str, twice: int
) -> None:
    site.install("killer-pacer", KILLER)
    (site.folder / "kill").write_text(f"{step} 3")
    put(folder, *names(5))
    running = run()
    all_done(folder, 5, running)
    assert not (site.folder / "kill").exists()
    assert "service files-1 ended with code -9" in running.printed
    assert running.end() == 0
    found = received(lab)
    assert sorted(body for body, _ in found) == names(5)
    assert found.total() - len(found) == twice


def test_many_files_come_in_once_each(lab: Lab, folder: Path, run: Run, scale: Scale) -> None:
    count = scale(1000, 10_000)
    for name in names(count):
        (folder / name).write_text(name)
    running = run()
    eventually(lambda: (folder / "done" / names(1)[0]).exists(), 60, lambda: running.printed)
    began = time.monotonic()
    eventually(lambda: not any(folder.glob("*.xml")), 280, lambda: running.printed)
    print(f"{count / (time.monotonic() - began):.0f} files/s")  # noqa: T201 - what it is run for, with -rP
    all_done(folder, count, running)
    assert running.end() == 0
    found = received(lab)
    assert sorted(body for body, _ in found) == names(count)
    assert found.total() == count


@pytest.mark.parametrize("how", ["cut off", pytest.param("restarted", marks=long)])
def test_a_broker_that_is_away_meanwhile_costs_nothing(
    how: str, lab: Lab, folder: Path, run: Run, request: pytest.FixtureRequest
) -> None:
    if how == "restarted":
        start_rabbitmq: Callable[..., RabbitMQ] = request.getfixturevalue("start_rabbitmq")
        lab.node, lab.vhost = start_rabbitmq(), "/"
    put(folder, *names(500))
    running = run()
    for part in (100, 300):
        eventually(partial(more_than, part, folder / "done"), 90)
        if how == "restarted":
            lab.node.kill()
            lab.node.start()
        else:
            lab.node.ctl("close_all_connections", "-p", lab.vhost, "test")
    all_done(folder, 500, running, 120)
    assert running.end() == 0
    found = received(lab)
    assert sorted(body for body, _ in found) == names(500)
    assert found.total() <= 502  # a confirm that was lost with its connection


def test_what_is_in_hand_is_finished_when_pacer_is_told_to_stop(lab: Lab, folder: Path, run: Run) -> None:
    put(folder, *names(1000))
    running = run()
    eventually(lambda: len(list((folder / "done").glob("*"))) > 100, 60, lambda: running.printed)
    assert running.end() == 0
    sent = len(list((folder / "done").iterdir()))
    assert [one for one in listed(folder) if one.startswith("taken/")] == []
    assert lab.waiting("inbox") == sent < 1000
    running = run()
    all_done(folder, 1000, running)
    assert running.end() == 0
    assert received(lab).total() == 1000


def test_two_instances_share_a_folder_and_one_takes_over_from_the_other(
    lab: Lab, folder: Path, run: Run
) -> None:
    running = run(instances=2)
    running.wait_for("this one stands by", 60)
    put(folder, *names(50))
    all_done(folder, 50, running)
    first = int(re.findall(r"INFO +(\d+) pacer.service.files: watching", running.printed)[0])
    os.kill(first, signal.SIGKILL)
    for name in names(100)[50:]:
        put(folder, name)
    all_done(folder, 100, running)
    assert running.end() == 0
    found = received(lab)
    assert sorted(body for body, _ in found) == names(100)
    assert found.total() <= 101  # one was on its way when its process was killed


def test_a_folder_of_which_the_system_tells_nothing_is_looked_through(
    lab: Lab, folder: Path, run: Run
) -> None:
    running = run(inotify="false", settle=0.2)
    running.wait_for("watching", 60)
    for name in names(30):
        (folder / name).write_text(name)
        time.sleep(0.01)
    all_done(folder, 30, running)
    assert running.end() == 0
    assert received(lab).total() == 30


def test_the_doctor_tells_of_a_folder_that_is_not_there(lab: Lab, folder: Path, run: Run) -> None:
    run().end()
    assert "can be written" in lab.site.pacer("doctor", "-c", lab.file).out
    folder.rename(folder.with_name("elsewhere"))
    ran = lab.site.pacer("doctor", "-c", lab.file)
    assert ran.code == 69
    assert "make the folder, mount it, or correct its path" in ran.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("{}", "'folders' is missing"),
        ("{folders: []}", "'folders' is not accepted: names no folder"),
        (
            "{folders: [{path: data, to: inbox}]}",
            "'path' is not accepted: should be a folder",
        ),
        ("{folders: [{path: /data, to: outbox}]}", "no consumer or queue 'outbox' (there are: inbox)"),
        ("{folders: [{path: /data, to: inbox}], maxSize: 1 GB}", "should be a size such as 512KiB"),
        ("{folders: [{path: /data, to: inbox}], after: delete}", "should be one of move, remove"),
    ],
)
def test_options_that_are_wrong_are_said_with_their_place(site: Site, options: str, said: str) -> None:
    text = f"""
        brokers: {{main: {{host: localhost}}}}
        queues: [{{name: inbox}}]
        services:
          - {{type: files, options: {options}}}
    """
    ran = site.pacer("config", "check", "-c", site.write(text))
    assert ran.code == 1
    assert said in ran.out
    assert re.search(r"pacer.yaml:5:\d+: error", ran.out)
