"""What PACER's command line is told."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from pacer_sandbox import IcatSandbox, plugin


def test_the_plugin_gives_the_command_sandbox_icat() -> None:
    (group,) = plugin.pacer_commands()

    done = CliRunner().invoke(group, ["icat", "--help"])

    assert group.name == "sandbox"
    assert done.exit_code == 0
    for option in ("--host", "--port", "--data", "--seed", "--log", "--zone", "--accounts", "--misbehave"):
        assert option in done.output


def test_a_wish_that_is_none_is_an_error_with_its_reason() -> None:
    (group,) = plugin.pacer_commands()

    done = CliRunner().invoke(group, ["icat", "--port", "0", "--misbehave", '{"slow": [{"minutes": 1}]}'])

    assert done.exit_code == 1
    assert "minutes" in done.output


def test_a_data_file_is_used_by_one_sandbox_at_a_time(tmp_path: Path) -> None:
    with (
        IcatSandbox(data=tmp_path / "icat.db"),
        pytest.raises(ValueError, match=r"icat\.db: database is locked; is another sandbox using it"),
    ):
        IcatSandbox(data=tmp_path / "icat.db")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "notes.txt"
    data.write_text("not a database" * 100)

    with pytest.raises(ValueError, match="not a database"):
        IcatSandbox(data=data)


def test_reset_refuses_to_destroy_a_data_file(tmp_path: Path) -> None:
    with IcatSandbox(data=tmp_path / "icat.db") as icat, pytest.raises(RuntimeError, match="data file"):
        icat.reset()
