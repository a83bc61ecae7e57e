"""``pacer config show``, ``schema`` and ``graph``: a configuration, seen in other ways."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import click

from pacer_core.cli import graph as drawing
from pacer_core.cli.console import echo
from pacer_core.commands import config_option
from pacer_core.config import Config, load
from pacer_core.config.model import Broker, ConsumerPlan, ServicePlan
from pacer_core.config.schema import schema as schema_of
from pacer_core.config.sections import camel, spell_duration
from pacer_core.config.yaml_tree import dump
from pacer_core.model.errors import PacerError
from pacer_core.model.json_output import dumps
from pacer_core.model.secrets import Secret, screen
from pacer_core.plugins import load as load_plugins

HIDDEN = "(secret)"
EDITORS = "# yaml-language-server: $schema="
"""The first line of a file, by which editors find its schema."""


@click.command(short_help="Show a configuration with its defaults.")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def show(file: Path, as_json: bool) -> None:
    """Show a configuration as PACER understands it: with every default, and without a secret.

    Variables and files of !env and !file are read, and never shown.
    """
    data = shown(load(file))
    if as_json:
        sys.stdout.buffer.write(dumps(data, indent=True) + b"\n")
        return
    echo(screen(dump(data).removesuffix("\n")))


@click.command(short_help="Write a JSON Schema for editors.")
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Write it into a file.")
def schema(output: Path | None) -> None:
    """Write a JSON Schema of everything that a configuration may say, with the installed plugins.

    An editor that knows YAML completes keys and marks mistakes by it, where the first line of the
    configuration is `# yaml-language-server: $schema=FILE`. `pacer config check` knows more.
    """
    plugins = load_plugins()
    plugins.check()
    text = dumps(schema_of(plugins), indent=True) + b"\n"
    if output is None:
        sys.stdout.buffer.write(text)
        return
    _write(output, text)
    echo(f"{output}: written; the first line of a configuration: {EDITORS}{output.name}", err=True)


@click.command(short_help="Draw what a message passes.")
@config_option
@click.option(
    "--format", "-f", "kind", type=click.Choice(["mermaid", "svg"]), default="mermaid", show_default=True
)
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Write it into a file.")
def graph(file: Path, kind: str, output: Path | None) -> None:
    """Draw exchanges, queues, consumers, tasks and ends, and what leads from one to the other."""
    drawn = drawing.graph(load(file))
    text = drawing.svg(drawn) if kind == "svg" else drawing.mermaid(drawn)
    if output is None:
        echo(text.removesuffix("\n"))
    else:
        _write(output, text.encode())


def _write(output: Path, text: bytes) -> None:
    try:
        output.write_bytes(text)
    except OSError as error:
        raise PacerError(f"{output} cannot be written: {error.strerror or type(error).__name__}") from None


def shown(config: Config) -> dict[str, Any]:
    """Give a configuration as plain data, with every default, and without secrets."""
    integrations = {
        one.name: {"type": one.type.name, **_plain(one.options)}
        for plan in (*config.consumers, *config.disabled)
        for one in plan.integrations.values()
    }
    return {
        "brokers": {
            "main": _broker(config.broker),
            "recipients": [
                {**_broker(one), "name": one.name, "forwardingRules": _plain(one.forwarding_rules)}
                for one in config.recipients
            ],
        },
        "exchanges": _plain(config.exchanges),
        "queues": _plain(config.queues),
        "consumers": [_consumer(one) for one in (*config.consumers, *config.disabled)],
        "services": [_service(one) for one in config.services],
        "integrations": integrations,
        "logging": {
            **_plain(config.logging),
            **{one.type.name: _plain(one.options) for one in config.log_handlers},
        },
        "health": _plain(config.health),
        "tracing": _plain(config.tracing),
        "processes": {**_plain(config.processes), "stateFolder": str(config.state_folder)},
    }


def _broker(broker: Broker) -> dict[str, Any]:
    return {"protocol": broker.protocol, **_plain(broker.options)}


def _consumer(plan: ConsumerPlan) -> dict[str, Any]:
    return {
        **_plain(plan.config),
        "options": _plain(plan.pipeline.options),
        "taskOptions": _plain(plan.pipeline.task_options),
        "tasks": [task.name for task in plan.pipeline.tasks],
    }


def _service(plan: ServicePlan) -> dict[str, Any]:
    return {**_plain(plan.config), "options": _plain(plan.options)}


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return HIDDEN
    if isinstance(value, timedelta):
        return spell_duration(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if attrs.has(type(value)):
        return {camel(one.name): _plain(getattr(value, one.name)) for one in attrs.fields(type(value))}
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
