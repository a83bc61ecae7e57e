"""``pacer config``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click
from attrs import asdict

from pacer_core.cli.config_views import graph, schema, show
from pacer_core.cli.console import echo
from pacer_core.cli.migrate import migrate
from pacer_core.commands import config_option
from pacer_core.config import Problem
from pacer_core.config import check as check_config
from pacer_core.config.model import Config, ConsumerPlan, ServicePlan
from pacer_core.model.json_output import dumps
from pacer_core.model.secrets import screen
from pacer_core.model.wording import counted


@click.group(short_help="Look at a configuration, or make one of another's.")
def config() -> None:
    """Look at a configuration file, or make one of another program's."""


for _command in (migrate, show, schema, graph):
    config.add_command(_command)


@config.command(short_help="Report every problem of a configuration.")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print the problems as JSON.")
@click.pass_context
def check(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Report every problem of a configuration, with file, line and column.

    Where it can be run, say what each consumer does: the tasks that run for its messages, and those that are
    left out, with the integrations that they would need. Exits with 0 where it can be run, with 1 where it
    cannot.
    """
    found, problems = check_config(file, disk=True)
    if as_json:
        sys.stdout.buffer.write(dumps([_plain(one) for one in problems], indent=True) + b"\n")
    else:
        for problem in problems:
            click.secho(str(problem), fg="yellow" if problem.severity == "warning" else "red")
        errors = sum(problem.severity == "error" for problem in problems)
        if found is None:
            echo(counted(errors, "error"))
        else:
            echo(f"{file} is fine: {screen(_whole(found))}")
            for line in (line for plan in found.consumers for line in _tell(plan)):
                echo(screen(line))
            for plan in found.disabled:
                gathers = ", ".join(plan.config.queues)
                echo(screen(f"{plan.name} is switched off: messages gather in {gathers}"))
            for service in found.services:
                echo(screen(_served(service)))
    ctx.exit(0 if found is not None else 1)


def _whole(config: Config) -> str:
    """Say what the configuration has."""
    consumers, services = ([one.name for one in some] for some in (config.consumers, config.services))
    parts = [f"{counted(len(consumers), 'consumer')} ({', '.join(consumers)})"] if consumers else []
    parts += [f"{counted(len(services), 'service')} ({', '.join(services)})"] if services else []
    return f"{' and '.join(parts) or 'nothing is switched on'} at {config.broker}"


def _served(plan: ServicePlan) -> str:
    """Say what a service is."""
    processes = plan.config.instances
    where = f" publishes to {', '.join(plan.destinations)}" if plan.destinations else ""
    return f"{plan.name} ({plan.type.name}, {counted(processes, 'process', 'processes')}){where}"


def _tell(plan: ConsumerPlan) -> Iterator[str]:
    """Say what a consumer does with what it reads, and what it leaves out for want of an integration."""
    runs = ", ".join(task.name for task in plan.pipeline.tasks)
    does = runs or "forwards what the rules of brokers.recipients match"
    yield f"{plan.name} reads {', '.join(plan.config.queues)}: {does}"
    for missing, names in plan.left_out.items():
        yield f"  left out without {missing}: {', '.join(names)}"
    if plan.on_purpose:
        yield f"  left out on purpose: {', '.join(plan.on_purpose)}"
    for name, after in plan.not_waiting.items():
        yield f"  {name} runs without waiting for {', '.join(after)}, which it would come after"


def _plain(problem: Problem) -> dict[str, object]:
    return asdict(problem) | {"code": problem.code.value}
