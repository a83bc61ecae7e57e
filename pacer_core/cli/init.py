"""``pacer init``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import click

from pacer_core.cli.console import echo
from pacer_core.cli.first_config import UNIT, Ask, First, example, required, text_of, usable
from pacer_core.cli.migrate import migrate
from pacer_core.config import check as check_config
from pacer_core.config.document import Document
from pacer_core.config.schema import schema
from pacer_core.config.sections import structure
from pacer_core.model.errors import PacerError
from pacer_core.model.integrations import IntegrationType
from pacer_core.model.json_output import dumps
from pacer_core.model.migrations import yaml_text
from pacer_core.model.private_files import make_folder, private
from pacer_core.model.secrets import hide
from pacer_core.plugins import Plugins, load

CONFIG, SCHEMA, SERVICE, SECRETS = "pacer.yaml", "pacer.schema.json", "pacer.service", "secrets"


@click.command(short_help="Write a first configuration.")
@click.argument("folder", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--yes", "-y", is_flag=True, help="Ask nothing: take what is installed, and examples for addresses."
)
@click.option(
    "--from", "old", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Make it of the configuration of another program, as `pacer config migrate` does.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Write over files that are there.")
@click.pass_context
def init(ctx: click.Context, folder: Path, yes: bool, old: Path | None, force: bool) -> None:
    """Write a first configuration into FOLDER: pacer.yaml, with comments, and what belongs to it.

    It asks what the facility has, as far as plugins for it are installed: the broker, the outside systems,
    the kinds of messages. Passwords go into files of their own in secrets/, for their owner alone. Beside it
    are pacer.schema.json, by which editors complete the file, and pacer.service, a unit of systemd.

    The exit code is 1 where `pacer config check` finds errors in what was written.
    """
    plugins = load()
    plugins.check()
    config = folder / CONFIG
    others = [folder / SCHEMA, folder / SERVICE]
    first = None if old is not None else _first(plugins, yes)
    secrets = {} if first is None else {folder / SECRETS / name: one for name, one in first.secrets.items()}
    there = [str(one) for one in (config, *others, *secrets) if one.exists()]
    if there and not force:
        raise PacerError(f"{', '.join(there)} exists already: name another folder, or say --force")
    program = shutil.which("pacer") or f"{sys.executable} -m pacer_core"
    described = dumps(schema(plugins), indent=True).decode() + "\n"
    _write(folder / SCHEMA, described, shared=True)
    _write(folder / SERVICE, UNIT.format(name=SERVICE, pacer=program, config=config.absolute()), shared=True)
    for path, secret in secrets.items():
        _write(path, secret + "\n")
    if first is None:
        ctx.invoke(migrate, old=old, output=config, secrets=folder / SECRETS, force=force)
        return
    _write(config, text_of(first, SCHEMA))
    _, problems = check_config(config)
    for problem in problems:
        echo(str(problem), err=True)
    echo(f"next: look through {config}, then `pacer doctor -c {config}`")
    ctx.exit(1 if any(one.severity == "error" for one in problems) else 0)


def _write(path: Path, text: str, *, shared: bool = False) -> None:
    """Write a file and say so; all but the shared ones are for their owner alone."""
    try:
        if shared:
            path.parent.mkdir(parents=True, exist_ok=True)
        else:
            make_folder(path.parent)
        with open(path, "w", encoding="utf-8", opener=None if shared else private) as file:
            file.write(text)
    except OSError as error:
        raise PacerError(f"{path} cannot be written: {error.strerror or type(error).__name__}") from None
    echo(f"{path}: written")


def _first(plugins: Plugins, yes: bool) -> First:
    ask: Ask = _take if yes else _ask
    first = First(_broker(ask), tuple(plugins.consumers.values()))
    if first.broker.get("password"):
        first.secrets["broker-password"] = first.broker["password"]
        first.broker["password"] = f"!file {SECRETS}/broker-password"
    for name, type_ in sorted(plugins.integrations.items()):
        if _wanted(f"Is there a system for the integration {name}?", yes, _fits(type_)):
            first.add(type_, ask)
    for name, one in sorted(plugins.consumers.items()):
        if usable(one, first.integrations) and _wanted(
            f"Are there messages for the consumer {name}?", yes, True
        ):
            first.consumers.append(one)
    if not first.consumers:
        raise PacerError(
            "no consumer type is installed that could be used: install the plugin of your catalogue"
        )
    return first


def _broker(ask: Ask) -> dict[str, str]:
    protocol = ask("broker.protocol", "amqp is RabbitMQ, amqps the same over TLS", "amqp", False)
    options = {"protocol": yaml_text(protocol).strip('"')}
    for key, default in (("host", "localhost"), ("vHost", "/"), ("username", "guest")):
        options[key] = yaml_text(ask(f"broker.{key}", "", default, False))
    options["password"] = ask("broker.password", "", "guest", True)
    return options


def _wanted(question: str, yes: bool, default: bool) -> bool:
    return default if yes else click.confirm(question, default=default)


def _fits(type_: IntegrationType[Any]) -> bool:
    """Tell whether an integration takes examples for what it has to be told."""
    document = Document(CONFIG, {})
    given = {one.key: example(type_.name, one) for one in required(type_.options)}
    return structure(document, ("integrations", type_.name), given, type_.options) is not None


def _take(_: str, __: str, default: str, ___: bool) -> str:
    return default


def _ask(place: str, words: str, default: str, secret: bool) -> str:
    if words:
        echo(f"  {words}")
    value: str = click.prompt(place, default=default, hide_input=secret, show_default=not secret)
    if secret:
        hide([value])
    return value
