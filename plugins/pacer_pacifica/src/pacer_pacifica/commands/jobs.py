"""``pacer pacifica list``, ``show``, ``job``, ``retry``, ``sweep``: at the job database itself."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import asdict, frozen
from rich.console import Console
from rich.table import Table

from pacer_core import PacerError, config_option, say, say_json, service_options
from pacer_pacifica.integration import database_of, ids_of, is_there
from pacer_pacifica.jobs import STATUSES, Job
from pacer_pacifica.service import SERVICE, ServiceOptions

if TYPE_CHECKING:
    from pacer_pacifica.jobs import Database, Jobs

_service = click.option(
    "--service", "-s", help="Which service, where the configuration has several of this type."
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")


@frozen
class _Opened:
    """The job database of a configuration's service."""

    options: ServiceOptions
    database: Database
    jobs: Jobs


@contextmanager
def _opened(ctx: click.Context, file: Path, service: str | None) -> Iterator[_Opened]:
    from pacer_pacifica.jobs import Jobs

    found = service_options(ctx, file, SERVICE.name)
    if not found:
        raise PacerError(
            f"{file} has no service of type {SERVICE.name}: name the file that has, with --config"
        )
    if service is None and len(found) > 1:
        raise click.UsageError(f"there are {', '.join(found)}: say which one with --service")
    if service is not None and service not in found:
        raise click.UsageError(f"there is no service {service!r} of type {SERVICE.name}: {', '.join(found)}")
    options: ServiceOptions = found[service or next(iter(found))]
    if not is_there(options):  # it would be made, perhaps for another account than the service's
        raise PacerError("there is no job database yet: the service makes it, or its path is another one")
    database = database_of(options)
    try:
        yield _Opened(options, database, Jobs(database))
    finally:
        database.close()


@click.command("list")
@click.option("--status", type=click.Choice(STATUSES), help="Jobs of this status alone.")
@click.option("--user", help="Jobs of this user alone.")
@click.option("--limit", "-n", type=click.IntRange(1), default=50, show_default=True, help="How many.")
@_as_json
@_service
@config_option
@click.pass_context
def list_jobs(
    ctx: click.Context,
    file: Path,
    service: str | None,
    status: str | None,
    user: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List jobs, the newest first."""
    with _opened(ctx, file, service) as opened:
        jobs = opened.jobs.find(status=status, user=user, limit=limit)
    if as_json:
        say_json([_as_json_has_it(job) for job in jobs])
        return
    table = Table("job", "status", "task", "%", "attempt", "user", "updated", "why", box=None)
    for one in jobs:
        updated = one.updated.astimezone(UTC).isoformat(sep=" ", timespec="seconds")
        why = one.exception or (one.waits_for and f"waits: {one.waits_for}")
        row = (one.id, one.status, one.task, f"{one.percent:.0f}", one.attempt, one.user, updated, why)
        table.add_row(*(_text(cell) for cell in row))
    _print(table)


@click.command()
@click.argument("job_id", type=int)
@_as_json
@_service
@config_option
@click.pass_context
def show(ctx: click.Context, file: Path, service: str | None, job_id: int, as_json: bool) -> None:
    """Show a job, with the stages of all its attempts."""
    with _opened(ctx, file, service) as opened:
        job, stages = opened.jobs.get(job_id), opened.jobs.stages(job_id)
    if as_json:
        say_json({**_as_json_has_it(job), "stages": [asdict(one) for one in stages]})
        return
    facts = Table(box=None, show_header=False)
    for name, value in _as_json_has_it(job).items():
        facts.add_row(name, _text(value))
    _print(facts)
    table = Table("attempt", "stage", "%", "tries", "started", "ended", "why", box=None)
    for stage in stages:
        times = [
            one and one.astimezone(UTC).isoformat(sep=" ", timespec="seconds")
            for one in (stage.started, stage.ended)
        ]
        row = (stage.attempt, stage.task, f"{stage.percent:.0f}", stage.tries, *times, stage.exception)
        table.add_row(*(_text(cell) for cell in row))
    _print(table)


@click.command(short_help="Set what a job says of itself.")
@click.option("--job-id", "--job_id", type=int, required=True, help="The job.")
@click.option("--state", help="Its state: OK or FAILED, or a word of your own.")
@click.option("--task", help="The stage that it is at.")
@click.option("--task-percent", type=click.FloatRange(0, 100), help="How far that stage is.")
@click.option("--exception", help="Why it failed.")
@_service
@config_option
@click.pass_context
def job(ctx: click.Context, /, file: Path, service: str | None, job_id: int, **given: Any) -> None:
    """Set what a job says of itself, as Pacifica's administrators do; the work on it is not touched."""
    values = {name.removeprefix("task_"): value for name, value in given.items() if value is not None}
    with _opened(ctx, file, service) as opened:
        found = opened.jobs.override(job_id, values) if values else opened.jobs.get(job_id)
    say(f"job {found.id}: {found.state}, {found.task}, {found.percent:.0f} %, {found.status}")


@click.command(short_help="Try failed or cancelled jobs again.")
@click.argument("job_ids", type=int, nargs=-1, required=True)
@_service
@config_option
@click.pass_context
def retry(ctx: click.Context, file: Path, service: str | None, job_ids: tuple[int, ...]) -> None:
    """Try failed or cancelled jobs again, from where they stopped: the running service sends messages."""
    with _opened(ctx, file, service) as opened:
        for job_id in job_ids:
            if not Path(opened.options.spool, opened.jobs.get(job_id).name).exists():
                raise PacerError(
                    f"what job {job_id} brought is not in the spool any more: have it uploaded again"
                )
            again = opened.jobs.retry(job_id)
            say(f"job {again.id}: attempt {again.attempt} waits for the service to send it")


@click.command(short_help="Do at once what the service does each minute.")
@_service
@config_option
@click.pass_context
def sweep(ctx: click.Context, file: Path, service: str | None) -> None:
    """Do at once what the service does each minute: jobs that nothing moves, files that nobody needs."""
    from pacer_pacifica.jobs import Outbox
    from pacer_pacifica.service.making import Making
    from pacer_pacifica.service.resumable import Resumable
    from pacer_pacifica.service.sweeping import Sweeper

    with ExitStack() as stack:
        opened = stack.enter_context(_opened(ctx, file, service))
        options, outbox = opened.options, Outbox(opened.database)
        ids = stack.enter_context(ids_of(options.unique_id_url, opened.database))
        making = Making(opened.jobs, ids, lambda _: None)
        resumable = Resumable(Path(options.spool), outbox, making, options.limits.resume)
        log = logging.getLogger("pacer.service.pacifica")
        swept = Sweeper(log, options, opened.jobs, outbox, resumable).sweep()
    say(f"{swept.sent_again} sent again, {swept.failed} failed, {swept.removed} files taken away")


def _as_json_has_it(job: Job) -> dict[str, Any]:
    return {"status": job.status, **asdict(job)}


def _text(value: object) -> str:
    """Give a cell: in one line, and without what would control a terminal."""
    text = "" if value is None else str(value)
    return "".join(one if one.isprintable() else " " for one in text)


def _print(table: Table) -> None:
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 1 << 16
    console.print(table)
