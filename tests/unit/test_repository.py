"""The rules that every distribution of this repository keeps."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pacer_core
from pacer_core.plugins import load

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(file.parent for file in ROOT.glob("plugins/*/pyproject.toml"))
every_plugin = pytest.mark.parametrize("plugin", PLUGINS, ids=lambda folder: folder.name)


def project(folder: Path) -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return table


def imports(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Give (file:line, module, name) for each import below a folder; the name is empty for `import a.b`."""
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(), file)):
            where = f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield where, alias.name, ""
            elif isinstance(node, ast.ImportFrom) and not node.level:
                for alias in node.names:
                    yield where, node.module or "", alias.name


def test_there_are_plugins_to_check() -> None:
    assert {"pacer_icat", "pacer_sandbox"} <= {folder.name for folder in PLUGINS}


@every_plugin
def test_a_plugin_has_the_version_of_the_core(plugin: Path) -> None:
    assert project(plugin)["version"] == project(ROOT)["version"] == pacer_core.__version__


@every_plugin
def test_a_plugin_requires_the_core_of_its_own_minor_version(plugin: Path) -> None:
    minor = int(project(ROOT)["version"].split(".")[1])
    ours = [need for need in project(plugin)["dependencies"] if re.match(r"pacer[-_]", need)]
    assert f"pacer-core>=0.{minor},<0.{minor + 1}" in ours
    assert all(need.endswith(f">=0.{minor},<0.{minor + 1}") for need in ours)


@every_plugin
def test_a_plugin_is_named_after_its_folder_and_found_by_an_entry_point(plugin: Path) -> None:
    assert project(plugin)["name"] == plugin.name.replace("_", "-")
    assert (plugin / "src" / plugin.name / "py.typed").is_file()
    points = project(plugin).get("entry-points", {}).get("pacer", {})
    registers = (plugin / "src" / plugin.name / "plugin.py").is_file()  # what plugins build on does not
    assert list(points.values()) == ([f"{plugin.name}.plugin"] if registers else [])


@every_plugin
def test_the_core_never_names_a_plugin(plugin: Path) -> None:
    if plugin.name == "pacer":  # the distribution of the first minute is named after all of it
        return
    name = re.compile(plugin.name.replace("_", "[-_]"))
    naming = [file for file in (ROOT / "pacer_core").rglob("*") if file.suffix in {".py", ".json", ".yaml"}]
    assert [file.name for file in naming if name.search(file.read_text())] == []


def test_the_core_names_no_protocol_of_a_plugin() -> None:
    protocols = set(load().transports)
    assert {"memory", "sqlite"} <= protocols
    name = re.compile(rf"""["'`]({"|".join(protocols)})["'`]|sqlite|embedded""", re.IGNORECASE)
    naming = [file for file in (ROOT / "pacer_core").rglob("*.py") if name.search(file.read_text())]
    assert naming == []


@every_plugin
def test_a_plugin_imports_nothing_from_inside_the_core(plugin: Path) -> None:
    for where, module, name in imports(plugin / "src"):
        assert not module.startswith("pacer_core."), f"{where}: import from pacer_core itself, not {module}"
        if module == "pacer_core":
            assert name in pacer_core.__all__, f"{where}: pacer_core offers no {name or 'module to import'}"


@every_plugin
def test_the_commands_of_a_plugin_print_by_what_keeps_the_terminal(plugin: Path) -> None:
    printing = re.compile(r"click\.s?echo\b")
    found = [file for file in (plugin / "src").rglob("*.py") if printing.search(file.read_text())]
    assert found == [], "print by `say` and `say_json` of pacer_core"


@every_plugin
def test_the_tests_of_a_plugin_import_of_the_core_its_facade_and_its_testing_alone(plugin: Path) -> None:
    for where, module, name in imports(plugin / "tests"):
        if module.split(".")[0] == "pacer_core":
            allowed = module == "pacer_core.testing" or (
                module == "pacer_core" and name in {*pacer_core.__all__, "testing"}
            )
            assert allowed, f"{where}: {module} is no door for plugins"


@every_plugin
def test_a_plugin_imports_another_one_by_its_facade_and_only_where_it_requires_it(plugin: Path) -> None:
    stated = [project(plugin)["dependencies"], *project(plugin).get("optional-dependencies", {}).values()]
    required = {re.split(r"[^\w-]", need)[0].replace("-", "_") for needs in stated for need in needs}
    others = {folder.name for folder in PLUGINS} - {plugin.name}
    for where, module, _ in imports(plugin / "src"):
        if module.split(".")[0] in others:
            # What a plugin offers for tests may build on what another one does.
            facade = (
                module.removesuffix(".testing") if re.search(r"/testing(\.py:|/)", str(where)) else module
            )
            assert facade in required, f"{where}: {module} is not the facade of a plugin in its dependencies"
