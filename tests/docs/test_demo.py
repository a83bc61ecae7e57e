"""The README's demo, twice in a row."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.services.base import program
from tests.services.fixtures import skip_without_program
from tests.services.rabbitmq import FOLDER


def test_the_demo_shows_what_the_readme_says_and_leaves_nothing_behind(tmp_path: Path) -> None:
    shown = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-m", "pacer_core", "demo"],
            stdout=subprocess.PIPE,
            cwd=tmp_path,
            env={"TMPDIR": str(tmp_path), "PATH": f"{sys.prefix}/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            text=True,
        )
        assert done.returncode == 0
        assert list(tmp_path.iterdir()) == []
        lines = done.stdout.splitlines()
        assert [line for line in lines if line != line.rstrip()] == []
        assert "  pacer init --yes my-facility" in lines
        shown.append([re.sub(r"done in [\d.]+ ms", "done", line) for line in lines])
    assert sorted(shown[0]) == sorted(shown[1])  # of two that die at once, either may be first
    (promised,) = re.findall(
        r"^```console\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE
    )
    for line in re.sub(r"done in [\d.]+ ms", "done", promised).splitlines():
        assert line.rstrip() in shown[0]


def test_every_command_that_the_demo_prints_in_the_end_works_word_for_word(tmp_path: Path) -> None:
    env = {"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    demo = [sys.executable, "-m", "pacer_core", "demo"]
    shown = subprocess.run(demo, stdout=subprocess.PIPE, cwd=tmp_path, env=env, text=True).stdout
    commands = [line.strip() for line in shown.splitlines() if re.match("  .*-m pacer_core", line)]
    assert len(commands) == 5
    for command in commands:
        if "sandbox" not in command:  # which would serve until it is stopped
            done = subprocess.run(command, shell=True, cwd=tmp_path, env=env, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("broker", ["rabbitmq", "redis"])
def test_the_demo_shows_the_same_on_a_server(tmp_path: Path, broker: str) -> None:
    with skip_without_program():
        program(
            {"rabbitmq": "rabbitmqctl"}.get(broker, f"{broker}-server"), FOLDER, package=f"{broker}-server"
        )
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples/demo/run.py"), "--broker", broker],
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)},
        text=True,
    )
    assert done.returncode == 0
    shown = re.sub(r"done in [\d.]+ ms", "done", done.stdout)
    promised = re.findall(
        r"^```console\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE
    )[0]
    for line in re.sub(r"done in [\d.]+ ms", "done", promised).splitlines():
        assert line.rstrip() in shown
    assert list(tmp_path.iterdir()) == []
