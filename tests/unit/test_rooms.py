"""The rooms of the core: each imports only from those below it, as the page on architecture lists them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "pacer_core"
PAGE = ROOT / "docs" / "explanation" / "architecture.md"

ROOMS = re.findall(r"^\| `([a-z_]+(?:\.py|/))` \|", PAGE.read_text(), re.MULTILINE)
"""From top to bottom; `cli/` is a folder, `commands.py` a module."""
MODULES = {
    ".".join(("pacer_core", *file.relative_to(CORE).with_suffix("").parts)).removesuffix(".__init__"): file
    for file in sorted(CORE.rglob("*.py"))
}


def room(module: str) -> str:
    name = [*module.split("."), "__init__"][1]
    return f"{name}/" if (CORE / name).is_dir() else f"{name}.py"


def imported(module: str) -> set[str]:
    """Give the modules of the core that one imports, for its types and inside its functions as well."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{module} imports by dots: {node.module}"
            within = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in within}
    return (found & MODULES.keys()) - {module}


ARROWS = {module: imported(module) for module in MODULES}


def test_every_room_is_on_the_page() -> None:
    assert sorted(ROOMS) == sorted({room(module) for module in MODULES})


def test_a_room_imports_only_from_rooms_below_it() -> None:
    upwards = [
        f"{module} imports {other}"
        for module, others in ARROWS.items()
        for other in sorted(others)
        if ROOMS.index(room(other)) < ROOMS.index(room(module))
    ]
    assert upwards == []


def test_no_modules_know_each_other_in_a_circle() -> None:
    left = {module: set(others) for module, others in ARROWS.items()}
    while ends := {module for module, others in left.items() if not others} | (
        left.keys() - set().union(*left.values())
    ):
        left = {module: others - ends for module, others in left.items() if module not in ends}
    assert {module: sorted(others) for module, others in left.items()} == {}


def test_every_decision_is_in_the_index_by_subject() -> None:
    index, *sections = re.split(r"^## ", (PAGE.parent / "decisions.md").read_text(), flags=re.MULTILINE)
    titles = [section.partition("\n")[0] for section in sections]
    assert sorted(re.findall(r"\[(.+?)\]\(#", index)) == sorted(titles)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"[a-z_]+/[a-z_/]*[a-z_]+\.py\b", PAGE.read_text()))))
def test_a_file_that_the_page_names_is_there(name: str) -> None:
    assert (CORE / name).is_file() or (ROOT / name).is_file()
