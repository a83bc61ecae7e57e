"""What the documents promise is there."""

import re
import tomllib
from pathlib import Path

import pytest

from pacer_core import hookspecs

ROOT = Path(__file__).parents[2]
HOOKS = [name for name in vars(hookspecs) if name.startswith(hookspecs.PROJECT + "_")]


@pytest.mark.parametrize("hook", HOOKS)
def test_the_docstring_of_a_hook_says_first_when_it_is_called(hook: str) -> None:
    assert re.match(r"At |When |After |Before ", getattr(hookspecs, hook).__doc__)


@pytest.mark.parametrize("session", ["demo", "tests"])
def test_the_readme_has_one_line_that_does_everything(session: str) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines() if line.endswith(f"nox -s {session}")]
    assert len(lines) == 1
    assert lines[0].startswith("python3 -m venv ")


def test_ci_runs_the_very_commands_of_the_readme() -> None:
    script = (ROOT / ".ci/run").read_text()
    assert "readme_command tests" in script
    assert "readme_command demo" in script
    assert "-m pytest" not in script


def test_fragments_of_the_changelog_have_an_issue_and_a_kind() -> None:
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]
    kinds = "|".join(kind["directory"] for kind in tool["type"])
    for fragment in (ROOT / "changelog.d").iterdir():
        if fragment.name not in tool["ignore"]:
            assert re.fullmatch(rf"(\d+|\+[\w-]+)\.({kinds})(\.\d+)?\.md", fragment.name), fragment.name


def test_every_trap_is_held_by_a_test_that_exists() -> None:
    page = (ROOT / "docs/explanation/traps.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| Trap")]
    files = [*ROOT.glob("tests/**/test_*.py"), *ROOT.glob("plugins/pacer_contract/src/**/tests/*.py")]
    tests = {
        name for file in files for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    assert all("`test_" in row for row in rows)
    assert set(re.findall(r"`(test_\w+)`", page)) - tests == set()
