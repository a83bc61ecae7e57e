"""`pacer plugins new`: what it writes passes its own tests, style and types, as it is."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pacer_core.cli.scaffold import PARTS, Consumer, begin
from pacer_core.model.errors import PacerError
from tests.support import Site

OURS = ("-p", "no:pyicat_plus", "-p", "no:cacheprovider")


def run(folder: Path, *command: str) -> str:
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_plugin_with_everything_passes_its_own_tests_style_and_types(tmp_path: Path) -> None:
    folder = tmp_path / "facility-pacer"
    begin(folder, list(PARTS))
    run(folder, "ruff", "check", "--no-cache")
    run(folder, "ruff", "format", "--check", "--no-cache")
    assert " passed" in run(folder, "pytest", "-q", *OURS)
    run(folder, "mypy", "--cache-dir", str(tmp_path / "cache"))


@pytest.mark.parametrize("part", list(PARTS))
@pytest.mark.parametrize("name", ["zz-extras", "acme"])
def test_each_part_alone_passes_its_tests_and_style(part: str, name: str, tmp_path: Path) -> None:
    begin(tmp_path / name, [part])
    run(tmp_path / name, "ruff", "check", "--no-cache")
    run(tmp_path / name, "ruff", "format", "--check", "--no-cache")
    assert " passed" in run(tmp_path / name, "pytest", "-q", *OURS)


def test_what_it_writes_is_found_and_registers_its_parts(site: Site) -> None:
    folder = site.folder / "facility-pacer"
    done = site.pacer("plugins", "new", folder, *(f"--with={part}" for part in PARTS))
    assert done.code == 0, done.err
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    (point,) = project["entry-points"]["pacer"].items()
    (site.folder / "facility_pacer").symlink_to(folder / "src" / "facility_pacer")
    info = site.folder / "facility_pacer-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: facility-pacer\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(f"[pacer]\n{point[0]} = {point[1]}\n")
    shown = site.pacer("plugins", "show", "facility_pacer").out
    for line in (
        "facility_pacer: facility-pacer 0.1.0, active",
        "consumers: facility-messages",
        "integrations: facility-register",
        "services: facility-ticker",
        "commands: facility",
        "tasks: forward.note_message",
    ):
        assert line in shown.splitlines()


def test_a_consumer_that_was_another_program_s_says_so(tmp_path: Path) -> None:
    begin(
        tmp_path / "acme",
        (),
        [Consumer("parcel-tracking", "ParcelTracking of acme.parcels"), Consumer("letters")],
    )
    text = (tmp_path / "acme/src/acme/parcel_tracking.py").read_text()
    assert "It was ParcelTracking of acme.parcels" in text
    assert 'name="parcel-tracking"' in text
    assert "return [PARCEL_TRACKING, LETTERS]" in (tmp_path / "acme/src/acme/plugin.py").read_text()


def test_nothing_is_written_over_and_a_name_has_to_be_one(site: Site) -> None:
    site.write("mine", "notes.txt")
    done = site.pacer("plugins", "new", site.folder)
    assert done.code == 70
    with pytest.raises(PacerError, match="is no name of a plugin"):
        begin(site.folder / "My_Plugin", ["consumer"])
    (site.folder / "there").mkdir()
    (site.folder / "there" / "file").touch()
    with pytest.raises(PacerError, match="is not empty"):
        begin(site.folder / "there", ["consumer"])


def test_a_plugin_that_is_not_there_is_asked_for_by_another_name(site: Site) -> None:
    done = site.pacer("plugins", "show", "cor")
    assert done.code == 2
    assert "did you mean 'core'?" in done.err
