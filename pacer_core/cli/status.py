"""``pacer status``."""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from pacer_core.health import Asked

_VERSION = 1
_WELL = ("reading", "stand-by")


@click.command(short_help="Show the broker, its queues and the workers.")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def status(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Show the broker, its queues and the workers: what waits, what is being retried, what is dead.

    The broker says what is in its queues; the `pacer run` of this configuration on this machine, where there
    is one, says how its workers are. Exits with 69 where the broker cannot be reached.
    """
    config = load(file)
    logs.set_up("WARNING")
    if config.broker.protocol == "memory":
        raise BrokerError("an in-memory broker is seen by one process only: it has no status to show")
    from pacer_core.health import ask  # not in the workers, which import the command line as well

    asked = ask(config)
    try:
        with closing(connect(config.broker, "status")) as connection:
            found = read_status(connection, config)
    except BrokerError as error:
        if as_json:
            broker = _broker(config) | {"reachable": False, "error": str(error)}
            _print(_head(config) | {"broker": broker} | _supervisor(asked))
        else:
            console = _console()
            console.print(Text.assemble(("down", "red"), f"  {config.broker} does not answer"))
            _show_workers(console, config, asked)
            click.echo(f"error: {error}", err=True)
        ctx.exit(69)
    if as_json:
        _print(_data(config, found) | _supervisor(asked))
    else:
        console = _console()
        _show_broker(console, config, found)
        _show_workers(console, config, asked)


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


def _supervisor(asked: Asked | None) -> dict[str, Any]:
    return {"supervisor": None if asked is None else asdict(asked)}


def _ready(found: BrokerStatus) -> int:
    return sum(queue.ready or 0 for queue in found.queues)


def _waiting(found: BrokerStatus) -> int:
    return sum(step.waiting or 0 for step in found.steps)


def _dead(found: BrokerStatus) -> int:
    return sum(queue.dead or 0 for queue in found.queues)


def _console() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def _show_broker(console: Console, config: Config, found: BrokerStatus) -> None:
    server = clean(f"{found.product} {found.version}")
    console.print(Text.assemble(("up", "green"), f"  {server} at {config.broker}"))
    console.print()
    table = _table("queue", "consumer")
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


def _show_workers(console: Console, config: Config, asked: Asked | None) -> None:
    console.print()
    if asked is None:
        console.print(_nobody(config), style="dim")
        return
    number = len(asked.workers)
    console.print(
        Text.assemble(
            ("runs", "green"),
            f"  PACER {clean(asked.version)}, process {asked.pid}, "
            f"{number} worker{'' if number == 1 else 's'}",
        )
    )
    console.print()
    table = _table("worker", "state")
    for name in ("process", "in hand", "starts", "crashes"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("away", overflow="fold")
    for worker in asked.workers:
        away = clean(", ".join(worker.open_breakers))
        table.add_row(
            Text(clean(worker.name)),
            Text(clean(worker.state), style="green" if worker.state in _WELL else "yellow"),
            Text("-" if worker.pid is None else str(worker.pid)),
            _number(worker.in_hand),
            _number(worker.starts),
            _number(worker.crashes, "red" if worker.crashes else ""),
            Text(away or "-", style="red" if away else "dim"),
        )
    console.print(table)
    for worker in asked.workers:
        if worker.trouble:
            console.print(Text(f"\n{clean(worker.name)}: {clean(worker.trouble)}", style="red"))
    for key in (key for worker in asked.workers for key in worker.keys):
        waiting = f"{key.waiting:,} message{' waits' if key.waiting == 1 else 's wait'}"
        console.print(Text(f"\n{waiting} for one before of {clean(key.space)} {clean(key.key)}"))
    for advice in asked.advice:
        console.print(Text(f"\n{clean(advice)}", style="yellow"))


def _nobody(config: Config) -> str:
    if not config.health.enabled or not config.health.port:
        why = "health.enabled is false" if not config.health.enabled else "health.port is 0"
        return f"how the workers are is not known: {why}"
    return f"no `pacer run` of this configuration answers at {config.health.host} port {config.health.port}"


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
