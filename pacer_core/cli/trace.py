"""``pacer trace``: what the log says of a message."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import click

from pacer_core.cli.console import echo
from pacer_core.commands import config_option
from pacer_core.config import load
from pacer_core.model.escapes import escaped_json
from pacer_core.model.identifiers import shortened
from pacer_core.observe.logs.reading import Entry, files_of, read, read_file


@click.command()
@click.argument("wanted", metavar="ID|KEY=VALUE...", nargs=-1, required=True)
@config_option
@click.option(
    "--log",
    "logs",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True, allow_dash=True),
    help="Read this log, or these of several hosts, instead of the configuration's; - is standard input.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each record.")
@click.pass_context
def trace(
    ctx: click.Context, wanted: tuple[str, ...], file: Path, logs: tuple[Path, ...], as_json: bool
) -> None:
    """Tell the life of a message from the log.

    A message is named by its correlation id, or by identifiers such as dataset=NAME, all of which have to be
    its own. Follow-ups and retries have the correlation id of the message that they come from, and are told
    with it. Rotated files (PATH.1, PATH.2.gz) are read as well. The exit code is 1 where nothing is found.
    """
    entries, names = _source(file, logs)
    described = dict(one.split("=", 1) for one in wanted if "=" in one)
    found = {one for one in wanted if "=" not in one}
    if described:
        found |= {one.message for one in entries() if one.message and _fits(one, described)}
    lives: dict[str, list[Entry]] = {}
    for entry in entries():
        if entry.message in found:
            lives.setdefault(entry.message, []).append(entry)
    if not lives:
        echo(f"nothing about {' '.join(wanted)} in {', '.join(names)}", err=True)
        ctx.exit(1)
    for number, (message, life) in enumerate(lives.items()):
        if len(logs) > 1:
            life.sort(key=lambda entry: entry.time)
        if as_json:
            _print_json(message, life)
        else:
            echo(f"{chr(10) if number else ''}{message}")
            _print(life)


def _source(file: Path, logs: tuple[Path, ...]) -> tuple[Callable[[], Iterable[Entry]], list[str]]:
    """Give what reads all entries, as often as it is called, and the names of what is read."""
    if Path("-") in logs:
        if len(logs) > 1:
            raise click.UsageError("--log - goes alone: standard input is one log")
        kept = list(read(sys.stdin))
        return lambda: kept, ["standard input"]
    if not logs:
        settings = load(file).logging.file
        if not settings.enabled:
            raise click.UsageError(
                f"{file} has no log file: set 'logging: {{file: {{enabled: true}}}}' there, or give the log "
                "that there is: journalctl -u pacer -o cat | pacer trace --log - ..."
            )
        logs = (Path(settings.path),)
    paths = [one for log in logs for one in files_of(log)]
    return lambda: (entry for path in paths for entry in read_file(path)), [str(one) for one in paths or logs]


def _fits(entry: Entry, described: Mapping[str, str]) -> bool:
    return all(entry.labels.get(name) in (value, shortened(value)) for name, value in described.items())


def _print(life: Iterable[Entry]) -> None:
    for entry in life:
        echo(f"  {entry.time}  {entry.level:<8} {entry.text}")
        for line in entry.more:
            echo(f"      {line}")


def _print_json(message: str, life: Iterable[Entry]) -> None:
    for entry in life:
        record = {
            "time": entry.time,
            "level": entry.level,
            "logger": entry.logger,
            "correlation_id": message,
            "text": entry.text,
            "labels": dict(entry.labels),
            "more": list(entry.more),
        }
        click.echo(escaped_json(json.dumps(record, ensure_ascii=False)))
