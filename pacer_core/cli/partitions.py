"""``pacer partitions``."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from pacer_core.cli.console import clean, columns, echo, figure, print_table, screen
from pacer_core.cli.letter_places import open_
from pacer_core.commands import config_option
from pacer_core.config import Config
from pacer_core.model.errors import BrokerError
from pacer_core.model.messages import Outcome
from pacer_core.model.suggestions import did_you_mean
from pacer_core.model.wording import counted
from pacer_core.observe import logs
from pacer_core.transport.connection import connect
from pacer_core.transport.partition_status import Spread, as_there, change, spread
from pacer_core.transport.roll_call import holders
from pacer_core.work.os_signals import signals
from pacer_core.work.worker import Worker


@click.group(short_help="Look at key spaces, and change their partitions.")
def partitions() -> None:
    """Look at the partitions of key spaces, and change how many there are."""


@partitions.command(short_help="Show key spaces, and what is in their partitions.")
@config_option
def show(file: Path) -> None:
    """Show the key spaces of a configuration: their partitions, who has each, and what waits in it."""
    config = open_(file)
    names = _names(config)
    if not names:
        echo("no consumer's messages have keys")
    console = screen()
    for name in names:
        found = _look(config, name)
        echo(f"{name}: {_told(found)}")
        if not found.partitions:
            continue
        with closing(connect(config.broker, "partitions")) as connection:
            has = holders(connection, config, [one.queue for one in found.partitions if one.readers])
        rows = columns("partition", "host")
        for title in ("ready", "readers", "waiting"):
            rows.add_column(title, justify="right", no_wrap=True)
        for one in found.partitions:
            who = clean(str(has.get(one.queue, "-")))
            rows.add_row(one.queue, who, figure(one.ready), figure(one.readers), figure(one.waiting))
        print_table(console, rows)


@partitions.command("change", short_help="Give a key space as many partitions as the configuration says.")
@config_option
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.argument("space")
@click.pass_context
def change_(ctx: click.Context, file: Path, space: str, yes: bool) -> None:
    """Give key space SPACE at the broker as many partitions as the configuration says, or none.

    Keys go to other partitions then. So nobody may read the key space meanwhile (stop `pacer run` on every
    host), and nothing may wait in its partitions, or on the ladder to go back there; else it says what to do,
    changes nothing, and exits with 1. What waits in the queues of its consumers is not touched.
    """
    config = open_(file)
    found = _look(config, _known(config, space))
    if found.there == found.wanted:
        echo(f"{space} {_has(found.there)}, at the broker as in {file}: there is nothing to change")
        return
    if found.hindrances:
        for one in found.hindrances:
            echo(f"{space}: {one}", err=True)
        ctx.exit(1)
    echo(f"{space} {_has(found.there)} at {config.broker}, and is to have {_count(found.wanted)}")
    kept = () if found.wanted is None else config.key_spaces[space].queues
    gone = [one.queue for one in found.partitions if one.queue not in kept]
    made = [queue for queue in kept if queue not in {one.queue for one in found.partitions}]
    if gone:
        echo(f"these queues, which are empty, are deleted: {', '.join(gone)}")
    if made:
        echo(f"these queues are declared: {', '.join(made)}")
    if not yes:
        click.confirm("Change it?", abort=True)
    with closing(connect(config.broker, "partitions")) as connection:
        change(connection, config, found)
    echo(f"{space} has {_count(found.wanted)}")


@partitions.command(short_help="Handle what is in the partitions of a key space, and take nothing new in.")
@config_option
@click.argument("space")
@click.pass_context
def drain(ctx: click.Context, file: Path, space: str) -> None:
    """Handle in this process what is in the partitions of key space SPACE, before their number is changed.

    Nothing new is taken into them. Exits with 2 where messages wait for a retry, to go back there.
    """
    config = open_(file)
    found = _look(config, _known(config, space))
    if found.there is None:
        echo(f"{space} has no partitions: there is nothing to drain")
        return
    if found.reading:
        echo(f"{space}: {found.hindrances[0]}", err=True)
        ctx.exit(1)
    plans = [plan for plan in config.consumers if plan.key_space == space]
    if not plans:
        echo(
            f"{space}: all of its consumers have 'enabled: false', and nobody else can handle this", err=True
        )
        ctx.exit(1)
    logs.set_up_run(config.logging, config.log_handlers)
    worker = Worker(as_there(config, found), plans, queues=[one.queue for one in found.partitions])
    with signals(worker.stop):
        outcomes = worker.run(once=True)
    left = _look(config, space)
    waiting = sum(one.waiting for one in left.partitions)
    echo(f"{outcomes[Outcome.ACKED]} done, {outcomes[Outcome.DEAD]} dead, {waiting} waiting for a retry")
    for one in left.hindrances:
        echo(f"{space}: {one}", err=True)
    ctx.exit(2 if waiting else 1 if left.hindrances else 0)


def _look(config: Config, name: str) -> Spread:
    with closing(connect(config.broker, "partitions")) as connection:
        return spread(connection, config, name)


def _names(config: Config) -> list[str]:
    plans = (*config.consumers, *config.disabled)
    return sorted({plan.key_space for plan in plans if plan.key_space is not None})


def _known(config: Config, space: str) -> str:
    names = _names(config)
    if space not in names:
        there = f"; there are: {', '.join(names)}" if names else ""
        raise click.BadParameter(
            f"no consumer of {config.file} has key space {space!r}{did_you_mean(space, names)}{there}",
            param_hint="'SPACE'",
        )
    if config.broker.capabilities.lacking("partitions"):
        raise BrokerError(f"a broker of protocol {config.broker.protocol!r} has no partitions")
    return space


def _told(found: Spread) -> str:
    if found.there == found.wanted:
        return _count(found.there)
    return f"{_count(found.there)} at the broker, and {_count(found.wanted)} in the configuration"


def _has(partitions: int | None) -> str:
    return f"has {_count(partitions)}"


def _count(partitions: int | None) -> str:
    return "no partitions" if partitions is None else counted(partitions, "partition")
