"""``pacer status``."""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from attrs import asdict
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pacer_core import logs
from pacer_core.cli.letters import clean, dumps
from pacer_core.cli.options import config_option
from pacer_core.config import Config, load
from pacer_core.errors import BrokerError
from pacer_core.transport.connection import connect
from pacer_core.transport.status import BrokerStatus, read_status

_VERSION = 1


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def status(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Show the broker and its queues: what waits, what is being retried, what is dead.

    Exits with 69 where the broker cannot be reached.
    """
    config = load(file)
    logs.set_up("WARNING")
    if config.broker.protocol == "memory":
        raise BrokerError("an in-memory broker is seen by one process only: it has no status to show")
    try:
        with closing(connect(config.broker, "status")) as connection:
            found = read_status(connection, config)
    except BrokerError as error:
        if not as_json:
            raise
        _print(_head(config) | {"broker": _broker(config) | {"reachable": False, "error": str(error)}})
        ctx.exit(69)
    if as_json:
        _print(_data(config, found))
    else:
        _show(config, found)


def _print(data: dict[str, Any]) -> None:
    sys.stdout.buffer.write(dumps(data, indent=True) + b"\n")


def _head(config: Config) -> dict[str, Any]:
    return {"version": _VERSION, "at": datetime.now(UTC).isoformat(), "config": config.file}


def _broker(config: Config) -> dict[str, Any]:
    return {"address": str(config.broker)}


def _data(config: Config, found: BrokerStatus) -> dict[str, Any]:
    return _head(config) | {
        "broker": _broker(config) | {"reachable": True, "product": found.product, "version": found.version},
        "queues": [asdict(queue) for queue in found.queues],
        "retries": [asdict(step) for step in found.steps],
        "totals": {"ready": _ready(found), "waiting": _waiting(found), "dead": _dead(found)},
    }


def _ready(found: BrokerStatus) -> int:
    return sum(queue.ready or 0 for queue in found.queues)


def _waiting(found: BrokerStatus) -> int:
    return sum(step.waiting or 0 for step in found.steps)


def _dead(found: BrokerStatus) -> int:
    return sum(queue.dead or 0 for queue in found.queues)


def _show(config: Config, found: BrokerStatus) -> None:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    server = clean(f"{found.product} {found.version}".strip()) or "embedded broker"
    console.print(Text.assemble(("up", "green"), f"  {server} at {config.broker}"))
    console.print()
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("queue", overflow="fold")
    table.add_column("consumer", overflow="fold")
    for name in ("ready", "readers", "dead"):
        table.add_column(name, justify="right", no_wrap=True)
    for queue in found.queues:
        unread = queue.consumers and not queue.readers and queue.ready
        table.add_row(
            Text(queue.name, style="dim" if queue.ready is None else ""),
            Text(", ".join(queue.consumers) or "-"),
            _number(queue.ready),
            _number(queue.readers, "yellow" if unread else ""),
            _number(queue.dead, "red" if queue.dead else ""),
        )
    console.print(table)
    missing = [queue.name for queue in found.queues if queue.ready is None]
    if missing:
        console.print(f"\nnot declared yet: {', '.join(missing)}; `pacer run` does", style="yellow")
    console.print()
    console.print(_ladder(found))
    dead = _dead(found)
    if dead:
        verb = "message is" if dead == 1 else "messages are"
        console.print(f"\n{dead:,} {verb} dead: `pacer dead list` tells why", style="red")


def _ladder(found: BrokerStatus) -> Text:
    waiting = [step for step in found.steps if step.waiting]
    if not waiting:
        return Text("nothing waits for a retry")
    steps = ", ".join(f"{step.waiting:,} for {_spell(step.seconds)}" for step in waiting)
    return Text(f"{_waiting(found):,} wait for a retry: {steps}", style="yellow")


def _number(number: int | None, style: str = "") -> Text:
    return Text("-" if number is None else f"{number:,}", style=style or ("" if number else "dim"))


def _spell(seconds: int) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
