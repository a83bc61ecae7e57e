"""The unit of systemd: the one that `pacer init` writes, for the paths of the docs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pacer_core.cli import main
from pacer_core.cli.first_config import UNIT
from pacer_dashboard.variables import SECTIONS

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "systemd" / "pacer.service"
DASHBOARD = FILE.with_name("pacer-dashboard.service")
PAGE = ROOT / "docs" / "how-to" / "set-up-a-facility.md"


def test_it_is_what_pacer_init_writes_for_etc_and_opt() -> None:
    told = UNIT.format(name="pacer.service", pacer="/opt/pacer/bin/pacer", config="/etc/pacer/pacer.yaml")
    assert FILE.read_text() == told


def test_the_docs_show_no_other_one() -> None:
    assert "[Service]" not in PAGE.read_text()
    assert "deploy/systemd/pacer.service" in PAGE.read_text()


def test_the_dashboards_commands_are_there_and_its_variables_are_named() -> None:
    text = DASHBOARD.read_text()
    variables = {one.name for section in SECTIONS.values() for one in section}
    (told,) = re.findall(r"alone: (.*)\.", text)
    assert set(re.findall(r"[A-Z_]{5,}", told)) <= variables
    for line in re.findall(r"/opt/pacer/bin/pacer (.*)", text):
        words = [one for one in line.split() if not one.startswith("127") and not one.isdigit()]
        done = CliRunner().invoke(main, [*words[:2], "--help"])
        assert done.exit_code == 0
        assert all(one in done.output for one in words[2:])
    page = (ROOT / "docs" / "how-to" / "run-the-dashboard.md").read_text()
    assert "[Service]" not in page
    assert "deploy/systemd/pacer-dashboard.service" in page


def test_both_units_may_write_where_the_docs_have_the_dashboards_sqlite() -> None:
    page = (ROOT / "docs" / "how-to" / "run-the-dashboard.md").read_text()
    (folder,) = {Path(one) for one in re.findall(r"database: (/[\w/]+)", page)}
    for file in (FILE, DASHBOARD):
        said = re.findall(r"^(StateDirectory|ReadWritePaths)=-?(?:%S/)?(.*)", file.read_text(), re.MULTILINE)
        assert Path("/var/lib/pacer") in {Path("/var/lib", name) for _, name in said} & {*folder.parents}


@pytest.fixture(params=[FILE, DASHBOARD], ids=["pacer", "dashboard"])
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Give a unit with a program that is there, as `systemd-analyze` wants it."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (Debian: systemd)")
    source: Path = request.param
    file = tmp_path / source.name
    file.write_text(
        source.read_text().replace("/opt/pacer/bin/pacer", shutil.which("true") or sys.executable)
    )
    return file


def test_systemd_takes_it(unit: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    assert [line for line in done.stderr.splitlines() if unit.name in line] == []


def test_it_is_shut_off_as_far_as_pacer_can_work(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True)
    (exposure,) = re.findall(r"Overall exposure level for \S+: ([\d.]+) (\w+)", done.stdout)
    # From 0 to 10; "OK" ends at 5. What is left is the network, which PACER is for.
    assert float(exposure[0]) < 3, done.stdout
