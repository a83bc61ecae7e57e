"""Writes the files of a new plugin."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from string import Template

from attrs import frozen

import pacer_core
from pacer_core.cli.scaffold.parts import PARTS, Part
from pacer_core.model.errors import PacerError

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

_PROJECT = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "$name"
version = "0.1.0"
description = "A plugin of PACER."
readme = "README.md"
requires-python = ">=3.11"
dependencies = [
    "attrs>=24.2",$click
    "pacer-core>=$minor,<$next",
]

# What PACER looks for: the module that registers everything.
[project.entry-points.pacer]
$package = "$package.plugin"

[dependency-groups]
dev = ["pytest>=8.3", "ruff>=0.9", "mypy>=1.14"]

[tool.hatch.build.targets.wheel]
packages = ["src/$package"]

[tool.pytest.ini_options]
pythonpath = ["src"]
filterwarnings = ["error"]

[tool.ruff]
line-length = 110
src = ["src"]

[tool.ruff.lint]
select = ["B", "D", "E", "F", "I", "RUF", "S", "UP", "W"]
ignore = ["D203", "D213", "D413"]

[tool.ruff.lint.isort]
known-first-party = ["pacer_core"]

[tool.ruff.lint.per-file-ignores]
"tests/**" = ["D", "S101"]

[tool.mypy]
strict = true
mypy_path = "src"
explicit_package_bases = true
files = ["src", "tests"]
"""
_README = """\
# $name

A plugin of PACER, with

$parts

In the environment that PACER is installed in:

```console
$$ pip install -e . pytest ruff mypy
$$ pytest && ruff check && ruff format --check && mypy
$$ pacer plugins list
```
$yaml"""
_ROUTED = "message: Any, envelope: Envelope, routes: Sequence[Route]"
_HOOKS = {
    "consumers": (
        "pacer_consumers() -> list[ConsumerType]",
        "Give the consumer types of this plugin.",
        "return [$items]",
    ),
    "tasks": (
        "pacer_tasks(consumer: str) -> list[Task]",
        "Give the tasks that join another plugin's consumer type.",
        "return [$items] if consumer == JOINED else []",
    ),
    "parse": (
        "pacer_parse_message(envelope: Envelope, consumer: ConsumerType) -> Any",
        "Read the bodies that are this plugin's, and leave others to others.",
        "return $items(envelope, consumer)",
    ),
    "route": (
        f"pacer_route_message({_ROUTED}) -> Sequence[Route] | None",
        "Pick the routes of a message, or have no opinion.",
        "return $items(message, envelope, routes)",
    ),
    "integrations": (
        "pacer_integrations() -> list[IntegrationType[Any]]",
        "Give the outside systems of this plugin.",
        "return [$items]",
    ),
    "services": (
        "pacer_services() -> list[ServiceType]",
        "Give the services of this plugin.",
        "return [$items]",
    ),
    "commands": (
        "pacer_commands() -> list[click.Command]",
        "Give the commands of this plugin.",
        "return [$items]",
    ),
}


@frozen
class Consumer:
    """A consumer type that the plugin is to have, and what it was elsewhere, if it was anything."""

    type: str
    was: str = ""


def begin(folder: Path, parts: Sequence[str], consumers: Sequence[Consumer] = ()) -> list[Path]:
    """Write a plugin that is called as its folder; give its files.

    Raises
    ------
    PacerError
        Where the name is none for a distribution, or something is in the folder already.
    """
    name = folder.name
    if not NAME.fullmatch(name):
        raise PacerError(f"{name!r} is no name of a plugin: write one like facility-pacer")
    if folder.exists() and any(folder.iterdir()):
        raise PacerError(f"{folder} is not empty: name another folder")
    written = []
    for path, text in _files(name, parts, consumers):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        written.append(file)
    return written


def _files(name: str, parts: Sequence[str], consumers: Sequence[Consumer]) -> Iterator[tuple[str, str]]:
    package = name.replace("-", "_")
    short = name.removesuffix("-pacer").removeprefix("pacer-")
    chosen: list[tuple[Part, dict[str, str]]] = []
    for one in PARTS:
        if one == "consumer":
            wanted = list(consumers) or ([Consumer(f"{short}-messages")] if one in parts else [])
            chosen += [(PARTS[one], _names(package, short, consumer)) for consumer in wanted]
        elif one in parts:
            chosen.append((PARTS[one], _names(package, short, Consumer(short))))
    major, minor = map(int, pacer_core.__version__.split(".")[:2])
    project = {
        "name": name,
        "package": package,
        "click": '\n    "click>=8.1",' if "command" in parts else "",
        "minor": f"{major}.{minor}",
        "next": f"{major}.{minor + 1}",
    }
    yield "pyproject.toml", Template(_PROJECT).substitute(project)
    yield "README.md", _readme(name, chosen)
    yield ".gitignore", "__pycache__/\n.venv/\n.*_cache/\ndist/\n"
    yield f"src/{package}/__init__.py", '"""A plugin of PACER."""\n'
    yield f"src/{package}/py.typed", ""
    yield f"src/{package}/plugin.py", _plugin(package, chosen)
    for part, names in chosen:
        module = Template(part.module).substitute(names)
        yield f"src/{package}/{module}.py", _sorted_imports(Template(part.source).substitute(names), package)
        yield f"tests/test_{module}.py", _sorted_imports(Template(part.test).substitute(names), package)


def _names(package: str, short: str, consumer: Consumer) -> dict[str, str]:
    snake = consumer.type.replace("-", "_")
    return {
        "package": package,
        "type": consumer.type,
        "snake": snake,
        "CONSTANT": snake.upper(),
        "Message": "".join(word.capitalize() for word in snake.split("_")),
        "was": f"\n\nIt was {consumer.was}: move what that did here.\n" if consumer.was else "",
        "integration": f"{short}-register",
        "service": f"{short}-ticker",
        "command": short,
    }


def _plugin(package: str, chosen: Iterable[tuple[Part, dict[str, str]]]) -> str:
    standard: set[str] = set()
    outside: set[str] = set()
    core: set[str] = {"hookimpl"}
    own: set[str] = set()
    hooks: dict[str, list[str]] = {}
    for part, names in chosen:
        for line in (Template(one).substitute(names) for one in part.imports):
            if line.startswith("from pacer_core import "):
                core |= set(line.removeprefix("from pacer_core import ").split(", "))
            elif line.startswith(f"from {package}."):
                own.add(line)
            elif line.startswith("import "):
                outside.add(line)
            else:
                standard.add(line)
        kind, item = Template(part.hook).substitute(names).split(": ")
        hooks.setdefault(kind, []).append(item)
    pacer = f"from pacer_core import {', '.join(sorted(core, key=lambda one: (one[0].islower(), one)))}"
    blocks = [
        ['"""What the plugin registers."""'],
        ["from __future__ import annotations"],
        sorted(standard),
        sorted(outside),
        sorted([*own, pacer], key=lambda line: line.split()[1]),
    ]
    head = "\n\n".join("\n".join(one) for one in blocks if one)
    body = "".join(
        f'\n\n\n@hookimpl\ndef {signature}:\n    """{words}"""\n    '
        + Template(line).substitute(items=", ".join(hooks[kind]))
        for kind, (signature, words, line) in _HOOKS.items()
        if kind in hooks
    )
    return f"{head}{body}\n"


def _sorted_imports(text: str, package: str) -> str:
    """Put what is imported of the core and of the plugin itself into the order that ruff has."""
    lines = text.splitlines(keepends=True)
    ours = [at for at, line in enumerate(lines) if re.match(rf"from (pacer_core|{package})\b", line)]
    for at, line in zip(
        ours, sorted((lines[at] for at in ours), key=lambda one: one.split()[1]), strict=True
    ):
        lines[at] = line
    return "".join(lines)


def _readme(name: str, chosen: Sequence[tuple[Part, dict[str, str]]]) -> str:
    listed = dict.fromkeys(
        f"* `{Template(part.module).substitute(names)}.py`: {part.about}" for part, names in chosen
    )
    types = [names["type"] for part, names in chosen if part is PARTS["consumer"]]
    yaml = "".join(f"  - {{type: {one}, queues: [{one}]}}\n" for one in types)
    queues = "".join(f"  - {{name: {one}}}\n" for one in types)
    shown = f"\n```yaml\nqueues:\n{queues}\nconsumers:\n{yaml}```\n" if types else ""
    return Template(_README).substitute(name=name, parts="\n".join(listed), yaml=shown)
