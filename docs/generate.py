"""Writes the reference pages that are generated from the code: ``python docs/generate.py``.

What it writes is committed, and a test says where it is no longer what the code says. All plugins of this
repository have to be installed, and none of others.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs
import click

sys.path.insert(0, str(Path(__file__).parent))
import errors
import headers
import hooks
import metrics

from pacer_core import Capabilities, Secret, plugins
from pacer_core.cli import main
from pacer_core.config import model
from pacer_core.config.load import SECTIONS
from pacer_core.config.problems import Code
from pacer_core.config.sections import (
    AnyPort,
    Factor,
    Natural,
    Port,
    Positive,
    Timeout,
    camel,
    spell_duration,
)

HERE = Path(__file__).parent
WIDTH = 100

SECTION_CLASSES: dict[str, type | None] = {
    "brokers": model.Brokers,
    "exchanges": model.Exchange,
    "queues": model.Queue,
    "consumers": model.Consumer,
    "keySpaces": model.KeySpace,
    "services": model.Service,
    "integrations": None,  # its keys are names that the site chooses; the options are the plugins'
    "logging": model.Logging,
    "health": model.Health,
    "tracing": model.Tracing,
    "processes": model.Processes,
    "plugins": model.PluginOptions,
}
REPEATED = ("exchanges", "queues", "consumers", "keySpaces", "services")
BY_NAME = """\
A mapping from a name to the options of one outside system. The name is that of an integration type, or any
other name beside `type`, which then says the integration type; consumers refer to the name."""

HEAD = """\
# Configuration

One YAML file. `pacer config check` reports every mistake in it in one run; `pacer run` and `pacer send`
refuse to start with the same list. Keys that are not listed here are errors.
[Write a configuration](../how-to/write-a-configuration.md) shows how to go about it.

A *duration* is a number of seconds, or a number with a unit: `500ms`, `30s`, `15min`, `24h`, `7d`. Any scalar
may be `!env NAME`, the value of an environment variable, or `!file PATH`, the content of a file; see
[Keep secrets out of the file](../how-to/keep-secrets.md).
"""
PROBLEMS = """\
## Problems

`pacer config check` gives each as `file:line:column: severity: text [code]`, with one of these codes:

{codes}

`unused` is a warning, with which PACER runs; every other one is an error.
"""
COMMANDS = """\
# Command line

`pacer` has the commands of the core and those of the installed plugins. What each exits with is listed in
[Exit codes](exit-codes.md).
"""


TRANSPORTS = """\
# Kinds of broker

What `protocol` of a broker may be, with the plugins that are installed here, and what each can do. A
configuration that asks for what its broker cannot do is an error at its line; all of them pass the tests of
`pacer-contract`, as far as they can do what a test is about.
"""

DASHBOARD_SETTINGS = """\
# Settings of the dashboard

`pacer dashboard` and everything that serves its pages read these environment variables. What is not safe is
refused at the start, all of it at once, with what to do. ICAT-PACER's names are kept.
[Give roles](../how-to/give-roles-in-the-dashboard.md) says who may come in.
"""
DASHBOARD_API = """\
Addresses are below that of the dashboard. `/api/v1/openapi.json` is the same as OpenAPI 3.1, and `/api/v1/`
as a page. Within a version fields and operations are added, and none is taken away or changes its meaning.
Parameters that are not known are an error.
"""


def write(folder: Path = HERE / "reference") -> None:
    """Write all generated pages into a folder; those that have not changed keep their time."""
    pages = {
        "configuration.md": configuration(),
        "command-line.md": command_line(),
        "transports.md": transports(),
        "errors.md": errors.page(),
        "headers.md": headers.page(),
        "hooks.md": hooks.page(),
        "metrics.md": metrics.page(),
        "dashboard-settings.md": dashboard_settings(),
        "dashboard-api.md": dashboard_api(),
    }
    for name, text in pages.items():
        file = folder / name
        if not file.exists() or file.read_text() != text:
            file.write_text(text)


# --- the dashboard ----------------------------------------------------------------------------------


def dashboard_settings() -> str:
    """Give the page about the dashboard's environment variables."""
    from pacer_dashboard.variables import SECTIONS as VARIABLES

    parts = [DASHBOARD_SETTINGS]
    for about, variables in VARIABLES.items():
        parts.append(f"## {about}\n\n| Variable | Default | |\n|---|---|---|")
        for one in variables:
            default = f"`{one.default}`" if one.default else ""
            secret = " Secret." if one.secret else ""
            parts.append(f"| `{one.name}` | {default} | {one.meaning}{secret} |")
        parts.append("")
    return "\n".join(parts)


def dashboard_api() -> str:
    """Give the page about the dashboard's API."""
    from pacer_dashboard.start import prepare

    prepare()
    from pacer_dashboard.api.application import schema
    from pacer_dashboard.api.describe import operations

    described = schema()
    parts = [f"# API of the dashboard\n\n{described['info']['description']}\n\n{DASHBOARD_API}"]
    for one in operations(described):
        said = f"{one['summary']}. {one['description']}".strip()
        parts.append(f"## `{one['method']} {one['path']}`\n\n{_markdown(said)}\n")
        fields = [*one["parameters"], *({**field, "where": "body"} for field in one["body"])]
        if fields:
            parts.append("| Name | Where | |\n|---|---|---|")
        for field in fields:
            needed = " Required." if field["required"] else ""
            parts.append(
                f"| `{field['name']}` | {field['where']} | {_markdown(field['description'])}{needed} |"
            )
        parts.append("")
    return "\n".join(parts)


# --- configuration ----------------------------------------------------------------------------------


def configuration() -> str:
    """Give the page about the configuration file."""
    parts = [HEAD]
    for section in SECTIONS:
        cls = SECTION_CLASSES[section]
        if cls is None:
            parts.append(f"## `{section}`\n\n{BY_NAME}\n")
            continue
        parts += _class(f"{section}[]" if section in REPEATED else section, cls, level=2)
    parts += _of_plugins()
    codes = "\n".join(f"* `{code.value}`: {errors.MEANINGS[code]}" for code in Code)
    parts.append(PROBLEMS.format(codes=codes))
    return "\n".join(parts)


def _of_plugins() -> Iterator[str]:
    found = plugins.load()
    owner = {
        (kind, name): info.distribution
        for info in found.infos
        for kind, names in info.registers.items()
        for name in names
    }
    for transport in [model.AMQP, *dict.fromkeys(found.transports.values())]:
        distribution = owner[("transports", transport.protocols[0])]
        heading = f"brokers with protocol {', '.join(transport.protocols)}"
        yield from _class(heading, transport.options, 2, None if transport is model.AMQP else distribution)
    for name, integration in sorted(found.integrations.items()):
        yield from _class(f"integrations: {name}", integration.options, 2, owner[("integrations", name)])
    for name, service in sorted(found.services.items()):
        if service.options is not None:
            yield from _class(f"options of service {name}", service.options, 2, owner[("services", name)])
    for name, consumer in sorted(found.consumers.items()):
        distribution = owner[("consumers", name)]
        if consumer.options is not None:
            yield from _class(f"options of {name}", consumer.options, 2, distribution)
        for task in consumer.tasks:
            if task.options is not None:
                yield from _class(f"taskOptions of {name}: {task.name}", task.options, 2, distribution)


def _class(heading: str, cls: type, level: int, distribution: str | None = None) -> Iterator[str]:
    """Give a heading, the class's words, a table of its keys, and the same for the classes inside it."""
    about, of_attributes = docstring(cls)
    brought = f"Brought by `{distribution}`." if distribution else ""
    yield "\n\n".join(one for one in (f"{'#' * level} `{heading}`", about, brought) if one) + "\n"
    if not attrs.fields(cls):
        yield "No keys.\n"
        return
    yield "| Key | Type | Default | |\n|---|---|---|---|"
    hints = get_type_hints(cls)
    for attribute in attrs.fields(cls):
        words = of_attributes.get(attribute.name, "")
        spelled = spell_type(hints[attribute.name]), spell_default(attribute), words
        yield f"| `{camel(attribute.name)}` | {' | '.join(spelled)} |"
    yield ""
    for name, one in inside(cls).items():
        yield from _class(f"{heading}.{camel(name)}", one, level + 1)


def inside(cls: type) -> dict[str, type]:
    """Give the attributes of a class that hold mappings with classes of their own."""
    found = {name: _nested(hint) for name, hint in get_type_hints(cls).items()}
    return {name: one for name, one in found.items() if one is not None}


def docstring(cls: type) -> tuple[str, dict[str, str]]:
    """Give the words about a class, and those about each attribute in its section ``Attributes``."""
    text = inspect.cleandoc(cls.__doc__ or "")
    about, _, listed = text.partition("\nAttributes\n----------\n")
    inherited = [docstring(base)[1] for base in cls.__bases__ if attrs.has(base)]
    words = {name: said for one in inherited for name, said in one.items()}
    for names, said in re.findall(r"^(\S.*)\n((?:    .*\n?|\n)+)", listed, re.MULTILINE):
        for name in names.split(","):
            words[name.strip()] = _markdown(" ".join(said.split()))
    return _markdown(about.strip()), words


def _markdown(text: str) -> str:
    """Write what a docstring holds in reStructuredText as Markdown."""
    return text.replace("``", "`").replace("|", "\\|")


def _nested(hint: Any) -> type | None:
    if get_origin(hint) in (tuple, list):
        return _nested(get_args(hint)[0])
    return hint if isinstance(hint, type) and attrs.has(hint) else None


def spell_type(hint: Any) -> str:
    """Say in words what a key holds."""
    names = {
        str: "text", int: "whole number", float: "number", bool: "`true` or `false`", timedelta: "duration",
        Secret: "text, secret", Any: "mapping", Positive: "whole number, 1 or more",
        Natural: "whole number, 0 or more", Port: "port, 1 to 65535", AnyPort: "port, 0 to 65535",
        Factor: "number, 1 or more", Timeout: "duration, more than 0",
    }  # fmt: skip
    if hint in names:
        return names[hint]
    if (plain := getattr(hint, "__supertype__", None)) is not None:  # a NewType
        return spell_type(plain)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return ", ".join(f"`{word}`" for word in arguments)
    if origin in (Union, UnionType):
        return " or ".join(spell_type(one) for one in arguments if one is not type(None))
    if origin in (tuple, list):
        return f"list: {spell_type(arguments[0])}"
    if origin in (dict, Mapping):
        return f"mapping to {spell_type(arguments[1])}"
    if isinstance(hint, type) and attrs.has(hint):
        return "mapping, see below"
    raise TypeError(f"say in docs/generate.py what {hint} is called")


def spell_default(attribute: attrs.Attribute[Any]) -> str:
    """Say in words what a key is when it is not written."""
    default: Any = attribute.default
    if default is attrs.NOTHING:
        return "required"
    if (factory := getattr(default, "factory", None)) is not None:  # attrs.Factory is typed as a function
        default = None if default.takes_self else factory()
    if default is None or default == "" or attrs.has(type(default)):
        return ""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, timedelta):
        return f"`{spell_duration(default)}`"
    if isinstance(default, tuple | list):
        return f"`[{', '.join(map(str, default))}]`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


# --- kinds of broker --------------------------------------------------------------------------------


def transports() -> str:
    """Give the page about what each kind of broker can do."""
    kinds = [model.AMQP, *dict.fromkeys(plugins.load().transports.values())]
    words = docstring(Capabilities)[1]
    parts = [TRANSPORTS]
    parts.append(
        "| | " + " | ".join(", ".join(f"`{one}`" for one in kind.protocols) for kind in kinds) + " |"
    )
    parts.append("|---" * (len(kinds) + 1) + "|")
    for one in attrs.fields(Capabilities):
        can = ("yes" if getattr(kind.capabilities, one.name) else "no" for kind in kinds)
        parts.append(f"| {one.name.replace('_', ' ')} | {' | '.join(can)} |")
    parts.append("")
    parts += [f"* *{name.replace('_', ' ')}*: {said}" for name, said in words.items()]
    return "\n".join([*parts, ""])


# --- command line -----------------------------------------------------------------------------------


def command_line() -> str:
    """Give the page about the commands: what each prints with ``--help``."""
    return "\n".join([COMMANDS, *_commands(main, None, "pacer")])


def _commands(command: click.Command, parent: click.Context | None, name: str) -> Iterator[str]:
    ctx = click.Context(command, parent=parent, info_name=name, max_content_width=WIDTH, terminal_width=WIDTH)
    ctx.help_option_names = ["-h", "--help"]
    yield f"## `{ctx.command_path}`\n\n```text\n{command.get_help(ctx)}\n```\n"
    if isinstance(command, click.Group):
        for child in command.list_commands(ctx):
            found = command.get_command(ctx, child)
            if found is not None and not found.hidden:
                yield from _commands(found, ctx, child)


if __name__ == "__main__":
    write()
