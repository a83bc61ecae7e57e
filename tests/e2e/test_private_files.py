"""What PACER leaves on disk, and who may look into it: nobody else, whatever the umask says."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import Running, Site, eventually

PLUGIN = """
    from attrs import frozen
    from pacer_core import ConsumerType, hookimpl, task

    @frozen
    class Sample:
        name: str

    @task
    def weigh(sample, ctx):
        pass

    @hookimpl
    def pacer_consumers():
        yield ConsumerType(name="samples", message=Sample, tasks=[weigh])
"""

CONFIG = """
    brokers:
      main: {{protocol: sqlite, path: {broker}}}
    queues: [{{name: samples}}]
    consumers: [{{type: samples, queues: [samples], workers: 2, integrations: [{integrations}]}}]
    integrations: {{dashboard: {{}}}}
    health: {{enabled: false}}
    {processes}
"""


@pytest.fixture(autouse=True)
def generous() -> Iterator[None]:
    """Let the account give everything to everybody, as some do."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def file(site: Site, tmp_path: Path, state: Path) -> Path:
    """A configuration with a broker of its own."""
    site.install("sample-pacer", PLUGIN)
    (tmp_path / "broker").mkdir()
    return site.write(
        CONFIG.format(
            broker=tmp_path / "broker" / "b.db",
            integrations="dashboard",
            processes=f"processes: {{stateFolder: {state}}}",
        )
    )


def run(site: Site, file: Path) -> Running:
    running = site.start("run", "--config", file)
    eventually(lambda: running.printed.count("reading samples") == 2, what=lambda: running.printed)
    return running


def open_to_others(folder: Path) -> list[str]:
    """Give what others may look into, below a folder."""
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if stat.S_IMODE(path.stat().st_mode) & 0o077
    ]


def test_nobody_else_may_look_into_the_state_folder_or_the_broker(
    site: Site, file: Path, state: Path, tmp_path: Path
) -> None:
    running, second = run(site, file), run(site, file)
    done = site.pacer("send", "-c", file, "--consumer", "samples", site.write('{"name": "one"}', "one.json"))
    assert done.code == 0, done.err
    eventually(lambda: "done in" in running.printed + second.printed)
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    names = {path.name for path in state.rglob("*")}
    assert {"lock", "worker-0.notes", "worker-0.board", "run-2"} <= names
    assert open_to_others(state) == []
    assert open_to_others(tmp_path / "broker") == []
    assert (running.end(), second.end()) == (0, 0)


def test_files_that_were_open_to_others_are_closed_to_them(site: Site, file: Path, state: Path) -> None:
    run(site, file).end()
    (state / "run-2").mkdir(exist_ok=True)
    for path in (state, *state.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    found = site.pacer("doctor", "-c", file)
    assert f"others than its owner may write there: chmod 700 {state}" in " ".join(found.out.split())
    running, second = run(site, file), run(site, file)
    assert "others than its owner may write there" in running.printed
    assert [one for one in open_to_others(state) if not one.startswith("dashboard")] == []
    assert (running.end(), second.end()) == (0, 0)
    state.chmod(0o700)
    assert "others than" not in site.pacer("doctor", "-c", file).out


def test_the_folder_that_pacer_has_chosen_is_closed_to_others(
    site: Site, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    file.write_text(file.read_text().replace("processes:", "tracing: {enabled: false} #"))
    run(site, file).end()
    (folder,) = (tmp_path / "home" / "pacer").iterdir()
    folder.chmod(0o755)
    run(site, file).end()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert open_to_others(folder) == []


def test_a_link_in_the_state_folder_is_not_followed(
    site: Site, file: Path, state: Path, tmp_path: Path
) -> None:
    state.mkdir()
    (tmp_path / "elsewhere").write_text("precious")
    (state / "worker-0.notes").symlink_to(tmp_path / "elsewhere")
    running = site.start("run", "--config", file)
    eventually(lambda: running.process.poll() is not None or "Too many levels" in running.printed)
    running.end()
    assert (tmp_path / "elsewhere").read_text() == "precious"
    assert "Traceback" not in running.printed, running.printed
