"""``pacer run``."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import click
from attrs import evolve

from pacer_core.cli.console import echo
from pacer_core.commands import config_option
from pacer_core.config import load
from pacer_core.config.model import Config, ConsumerPlan
from pacer_core.model.messages import Outcome
from pacer_core.observe import logs
from pacer_core.transport.signing import signer_for, weaknesses
from pacer_core.work import supervisor
from pacer_core.work.os_signals import signals
from pacer_core.work.worker import Worker

log = logging.getLogger("pacer.run")


@click.command()
@config_option
@click.option("--once", is_flag=True, help="Work until every queue is empty, then end.")
@click.option("--wait", is_flag=True, help="With --once: until no message waits for a retry either.")
@click.option(
    "--inline",
    is_flag=True,
    help="For debugging: one process and one thread, in this terminal, so that breakpoint() works; without "
    "taskTimeout, and logged at DEBUG.",
)
@click.pass_context
def run(ctx: click.Context, file: Path, once: bool, wait: bool, inline: bool) -> None:
    """Read the queues of a configuration until told to stop.

    With --once everything runs in this one process, and the exit code says how it went: 0 where every
    message was handled, 1 where some are in a dead queue, 2 where some wait for a retry. With --wait these
    are handled as well, as soon as they are due: in the end, the retry queues of the virtual host are empty.

    With --once and --inline services do not run: each is a process of its own, and has no end.
    """
    if wait and not once:
        raise click.UsageError("--wait goes with --once: without it, PACER waits anyhow")
    config = load(file)
    settings = evolve(config.logging, log_level="DEBUG") if inline else config.logging
    logs.set_up_run(settings, config.log_handlers)
    _warn(config.consumers)
    for one in weaknesses(signer_for(config)):
        log.warning("%s: %s", one.detail, one.advice)
    if once or inline:
        _leave_out_services(config)
    if not once:
        ctx.exit(supervisor.run(config, inline=inline))
    worker = Worker(config, config.consumers, inline=inline)
    with signals(worker.stop):
        outcomes = worker.run(once=True, wait=wait)
    acked, dead, delayed = outcomes[Outcome.ACKED], outcomes[Outcome.DEAD], len(worker.delayed)
    aside = f", {worker.aside} set aside" if worker.aside else ""
    echo(f"{acked} done, {dead} dead, {delayed} waiting for a retry{aside}")
    ctx.exit(1 if dead or worker.aside else 2 if delayed else 0)


def _leave_out_services(config: Config) -> None:
    """Say which services do not run: each is a process of its own, and none knows when it has done all."""
    if names := ", ".join(one.name for one in config.services):
        log.warning("services do not run with --once or --inline: left out %s", names)
    if not config.consumers:
        raise click.UsageError(f"{config.file} has no consumers: there is nothing to do without its services")


def _warn(plans: Iterable[ConsumerPlan]) -> None:
    """Say which tasks a consumer leaves out, since nothing tells later, and what its options allow."""
    for plan in plans:
        tasks = "; ".join(f"{', '.join(names)} (needs {missing})" for missing, names in plan.left_out.items())
        if tasks:
            log.warning(
                "%s acknowledges its messages without %s: name what is needed under its integrations, or the "
                "plugin under plugins.block",
                plan.name,
                tasks,
            )
        for warning in plan.warnings:
            log.warning("consumer %s: %s: %s", plan.name, warning.detail, warning.advice)
