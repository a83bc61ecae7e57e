"""``pacer run``."""

from __future__ import annotations

from pathlib import Path

import click

from pacer_core import logs, supervisor
from pacer_core.cli.options import config_option
from pacer_core.config import load
from pacer_core.messages import Outcome
from pacer_core.worker import Worker


@click.command()
@config_option
@click.option("--once", is_flag=True, help="Work until every queue is empty, then end.")
@click.pass_context
def run(ctx: click.Context, file: Path, once: bool) -> None:
    """Read the queues of a configuration until told to stop.

    With --once everything runs in this one process, and the exit code says how it went: 0 where every
    message was handled, 1 where some are in a dead queue, 2 where some wait for a retry.
    """
    config = load(file)
    logs.set_up_run(config.logging)
    if not once:
        ctx.exit(supervisor.run(config))
    worker = Worker(config, config.consumers)
    with supervisor.signals(worker.stop):
        outcomes = worker.run(once=True)
    acked, dead, delayed = outcomes[Outcome.ACKED], outcomes[Outcome.DEAD], len(worker.delayed)
    click.echo(f"{acked} done, {dead} dead, {delayed} waiting for a retry")
    ctx.exit(1 if dead else 2 if delayed else 0)
