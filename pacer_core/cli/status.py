"""``pacer status``."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import asdict, evolve
from rich.console import Console
from rich.text import Text

from pacer_core.cli.command_hints import command
from pacer_core.cli.console import clean, columns, echo, figure, print_table, screen
from pacer_core.cli.letter_places import WAITING, looked, refuse_unseen
from pacer_core.cli.letter_tally import Tally
from pacer_core.cli.times import spell
from pacer_core.commands import config_option
from pacer_core.config import Config, load
from pacer_core.model.errors import BrokerError
from pacer_core.model.json_output import dumps
from pacer_core.model.wording import counted
from pacer_core.observe import logs
from pacer_core.transport.connection import connect
from pacer_core.transport.queue_status import BrokerStatus, read_status
from pacer_core.transport.roll_call import Holder, holders

if TYPE_CHECKING:
    from pacer_core.observe.health import Asked
    from pacer_core.observe.health.ask import AskedWorker

_VERSION = 1
_WELL = ("reading", "stand-by", "running")
_PASSING = ("starting", "stopping")
_MOST_LOOKED_AT = 20_000  # about a second; `pacer waiting list` looks at more


@click.command(short_help="Show the broker, its queues and the workers.")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def status(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Show the broker, its queues and the workers: what waits, what is in hand, what is retried or dead.

    The broker says what is in its queues; the `pacer run` of this configuration on this machine, where there
    is one, says how its workers are. Exits with 69 where the broker cannot be reached.
    """
    config = load(file)
    logs.set_up("WARNING")
    refuse_unseen(config, "it has no status to show")
    from pacer_core.observe.health import ask  # not in the workers, which import the command line as well

    asked = ask(config)
    try:
        with closing(connect(config.broker, "status")) as connection:
            found = _with_held(read_status(connection, config), asked)
            read = {one.name for one in found.queues if one.readers}
            has = holders(
                connection, config, [one.name for one in config.partition_queues if one.name in read]
            )
    except BrokerError as error:
        if as_json:
            broker = _broker(config) | {"reachable": False, "error": str(error)}
            _print(_head(config) | {"broker": broker} | _supervisor(asked))
        else:
            console = screen()
            console.print(Text.assemble(("down", "red"), f"  {config.broker} does not answer"))
            _show_workers(console, config, asked)
            echo(f"error: {error}\n{_doctor()}", err=True)
        ctx.exit(69)
    waiting = _look_at_ladder(config, found)
    if as_json:
        spread = [
            {"queue": one.name, "holder": asdict(has[one.name]) if one.name in has else None}
            for one in config.partition_queues
        ]
        _print(_data(config, found, waiting) | {"partitions": spread} | _supervisor(asked))
    else:
        console = screen()
        _show_broker(console, config, found, waiting)
        _show_partitions(console, config, has)
        _show_workers(console, config, asked)
        if asked is not None and any(map(_is_ill, asked.workers)):
            console.print(Text(f"\n{_doctor()}", style="yellow"), soft_wrap=True)


def _doctor() -> str:
    return f"`{command('doctor')}` says what is wrong, and what to do"


def _is_ill(worker: AskedWorker) -> bool:
    """Say whether a worker lacks what it needs, such as a system that is away."""
    return bool(worker.open_breakers or worker.trouble) or worker.state not in (*_WELL, *_PASSING)


def _with_held(found: BrokerStatus, asked: Asked | None) -> BrokerStatus:
    """Put in what the workers of this configuration hold, where the broker does not tell it."""
    if asked is None:
        return found
    held: Counter[str] = Counter()
    for worker in asked.workers:
        held.update(worker.queues)
    return evolve(
        found,
        queues=tuple(
            evolve(one, in_hand=held[one.name]) if one.in_hand is None and one.ready is not None else one
            for one in found.queues
        ),
    )


def _look_at_ladder(config: Config, found: BrokerStatus) -> Tally | None:
    """See who waits, and for what; ``None`` where it takes too long, is not allowed, or cannot be done."""
    if _waiting(found) > _MOST_LOOKED_AT or config.broker.capabilities.lacking("expiry"):
        return None
    tally = Tally()
    if _waiting(found):
        try:
            for letter in looked(WAITING, config, tally):
                tally.add(letter)
        except BrokerError as error:  # an account that may not read there, for instance
            echo(f"what waits for a retry cannot be looked at: {error}", err=True)
            return None
    return tally


def _print(data: dict[str, Any]) -> None:
    sys.stdout.buffer.write(dumps(data, indent=True) + b"\n")


def _head(config: Config) -> dict[str, Any]:
    return {"version": _VERSION, "at": datetime.now(UTC).isoformat(), "config": config.file}


def _broker(config: Config) -> dict[str, Any]:
    return {"address": str(config.broker)}


def _data(config: Config, found: BrokerStatus, waiting: Tally | None) -> dict[str, Any]:
    return _head(config) | {
        "broker": _broker(config) | {"reachable": True, "product": found.product, "version": found.version},
        "queues": [asdict(queue) for queue in found.queues],
        "retries": [asdict(step) for step in found.steps],
        "waiting": None
        if waiting is None
        else [
            {"consumer": consumer or None, "waits_for": reason, "count": count}
            for (consumer, reason), count in waiting.causes.most_common()
        ],
        "totals": {
            "ready": _ready(found),
            "in_hand": _in_hand(found),
            "waiting": _waiting(found),
            "dead": _dead(found),
        },
    }


def _supervisor(asked: Asked | None) -> dict[str, Any]:
    return {"supervisor": None if asked is None else asdict(asked)}


def _ready(found: BrokerStatus) -> int:
    return sum(queue.ready or 0 for queue in found.queues)


def _waiting(found: BrokerStatus) -> int:
    return sum(step.waiting or 0 for step in found.steps)


def _in_hand(found: BrokerStatus) -> int | None:
    known = [queue.in_hand for queue in found.queues if queue.in_hand is not None]
    return sum(known) if known else None


def _dead(found: BrokerStatus) -> int:
    return sum(queue.dead or 0 for queue in found.queues)


def _show_broker(console: Console, config: Config, found: BrokerStatus, waiting: Tally | None) -> None:
    server = clean(f"{found.product} {found.version}")
    console.print(Text.assemble(("up", "green"), f"  {server} at {config.broker}"))
    console.print()
    table = columns("queue", "consumer")
    for name in ("ready", "in hand", "readers", "dead"):
        table.add_column(name, justify="right", no_wrap=True)
    for queue in found.queues:
        unread = queue.consumers and not queue.readers and queue.ready
        table.add_row(
            Text(queue.name, style="dim" if queue.ready is None else ""),
            Text(", ".join(queue.consumers) or "-"),
            figure(queue.ready),
            figure(queue.in_hand),
            figure(queue.readers, "yellow" if unread else ""),
            figure(queue.dead, "red" if queue.dead else ""),
        )
    print_table(console, table)
    missing = [queue.name for queue in found.queues if queue.ready is None]
    if missing:
        console.print(
            Text(f"\nnot declared yet: {', '.join(missing)}; `{command('run')}` does", style="yellow"),
            soft_wrap=True,
        )
    console.print()
    console.print(_ladder(found))
    if waiting is not None and waiting.matching:
        waiting.show_causes(console)
        shows, sends = command("waiting list"), command("waiting now")
        console.print(Text(f"`{shows}` shows them, `{sends}` sends them back at once"), soft_wrap=True)
    dead = _dead(found)
    if dead:
        verb = "is" if dead == 1 else "are"
        said = f"\n{counted(dead, 'message')} {verb} dead: `{command('dead list')}` tells why"
        console.print(Text(said, style="red"), soft_wrap=True)


def _show_partitions(console: Console, config: Config, has: Mapping[str, Holder]) -> None:
    if not config.key_spaces:
        return
    console.print()
    table = columns("partition", "host")
    for queue in config.partition_queues:
        table.add_row(queue.name, Text(clean(str(has.get(queue.name, "nobody is known")))))
    print_table(console, table)


def _show_workers(console: Console, config: Config, asked: Asked | None) -> None:
    console.print()
    if asked is None:
        console.print(_nobody(config), style="dim")
        return
    console.print(
        Text.assemble(
            ("runs", "green"),
            f"  PACER {clean(asked.version)}, process {asked.pid}, {_how_many(asked)}",
        )
    )
    console.print()
    table = columns("worker", "state")
    for name in ("process", "in hand", "starts", "crashes"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("away", overflow="fold")
    for worker in asked.workers:
        away = clean(", ".join(worker.open_breakers))
        table.add_row(
            Text(clean(worker.name)),
            Text(clean(worker.state), style="green" if worker.state in _WELL else "yellow"),
            Text("-" if worker.pid is None else str(worker.pid)),
            figure(worker.in_hand),
            figure(worker.starts),
            figure(worker.crashes, "red" if worker.crashes else ""),
            Text(away or "-", style="red" if away else "dim"),
        )
    print_table(console, table)
    for worker in asked.workers:
        if worker.trouble:
            console.print(Text(f"\n{clean(worker.name)}: {clean(worker.trouble)}", style="red"))
    for one in asked.workers:
        if one.kind == "service":
            said = f"{clean(one.name)} has published {counted(one.published, 'message')}"
            console.print(Text(f"\n{said}"))
    for key in (key for worker in asked.workers for key in worker.keys):
        verb = "waits" if key.waiting == 1 else "wait"
        waiting = f"{counted(key.waiting, 'message')} {verb} for one before"
        console.print(Text(f"\n{waiting} of {clean(key.space)} {clean(key.key)}"))
    for advice in asked.advice:
        console.print(Text(f"\n{clean(advice)}", style="yellow"))


def _how_many(asked: Asked) -> str:
    """Say how many processes there are of each kind."""
    kinds = Counter(one.kind for one in asked.workers)
    return ", ".join(counted(number, kind) for kind, number in kinds.items()) or "no worker"


def _nobody(config: Config) -> str:
    if not config.health.enabled or not config.health.port:
        why = "health.enabled is false" if not config.health.enabled else "health.port is 0"
        return f"how the workers are is not known: {why}"
    return f"no `pacer run` of this configuration answers at {config.health.host} port {config.health.port}"


def _ladder(found: BrokerStatus) -> Text:
    waiting = [step for step in found.steps if step.waiting]
    if not waiting:
        return Text("nothing waits for a retry")
    steps = ", ".join(f"{step.waiting:,} for {spell(step.seconds)}" for step in waiting)
    number = _waiting(found)
    verb = "waits" if number == 1 else "wait"
    return Text(f"{counted(number, 'message')} {verb} for a retry: {steps}", style="yellow")
