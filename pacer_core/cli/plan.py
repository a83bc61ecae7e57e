"""``pacer plan``."""

from __future__ import annotations

import mimetypes
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
from attrs import evolve

from pacer_core.cli.console import echo
from pacer_core.cli.letter_places import refuse_unseen
from pacer_core.cli.plan_words import Sums, lines, plain
from pacer_core.cli.send import STDIN, body_of, files_of
from pacer_core.commands import config_option
from pacer_core.config import Config, load
from pacer_core.config.model import ConsumerPlan
from pacer_core.model.errors import BrokerError
from pacer_core.model.escapes import escaped
from pacer_core.model.json_output import dumps
from pacer_core.model.messages import Envelope
from pacer_core.model.secrets import redact
from pacer_core.model.suggestions import did_you_mean
from pacer_core.model.wording import counted
from pacer_core.observe import logs
from pacer_core.transport.connection import connect
from pacer_core.transport.dead_queues import look
from pacer_core.transport.queue_status import counts
from pacer_core.transport.topology import declare as declare_all
from pacer_core.work.clients import OpenIntegrations
from pacer_core.work.planning import Foreseen, first_sight, foresee

DEAD, WAITING = 1, 2


@click.command(short_help="Say what would become of messages, and write nothing.")
@config_option
@click.option("--consumer", "-n", help="The consumer that is to read them.")
@click.option("--content-type", "-t", help="The media type; by the file's ending where it is not given.")
@click.option("--queue", "-q", help="Take the messages that lie in this queue, and leave them there.")
@click.option(
    "--declare", is_flag=True, help="Declare exchanges and queues first, as the configuration has them."
)
@click.option(
    "--limit",
    "-l",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Take so many of a queue at most, the first ones.",
)
@click.option("--differences", "-d", is_flag=True, help="Leave out what is there as it would be written.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON; of a queue, a line for each message.")
@click.argument("files", nargs=-1, type=click.Path(allow_dash=True, path_type=Path))
@click.pass_context
def plan(
    ctx: click.Context,
    file: Path,
    consumer: str | None,
    content_type: str | None,
    queue: str | None,
    declare: bool,
    limit: int,
    differences: bool,
    as_json: bool,
    files: tuple[Path, ...],
) -> None:
    """Say what each task would do with each of FILES at its end, without writing anything anywhere.

    FILES are as for `pacer send`. They are read as the consumer would read them, and its tasks are asked
    what they would do: they look things up at their ends, and write nothing. A task that cannot tell
    beforehand is named. No broker is asked for anything, but for --queue: that reads a queue which
    nobody consumes, such as one bound beside that of another program, and leaves all of it there. With
    --declare the queue is made where it is not there yet.

    The exit code is 0 where every message would be done, 1 where some would be dead, and else 2 where some
    would wait.
    """
    if bool(files) == (queue is not None) or (declare and queue is None):
        raise click.UsageError("name files, or a queue with --queue: the messages come from one of them")
    config = load(file)
    logs.set_up("WARNING")
    chosen = _consumer(config, consumer, queue)
    messages = (
        _of_files(chosen, files, content_type) if queue is None else _of_queue(config, queue, declare, limit)
    )
    sums, array = Sums(), as_json and queue is None
    told: list[dict[str, object]] = []
    for name, envelope, seen in _foreseen(chosen, messages):
        sums.add(seen)
        if differences and seen.outcome.value == "acked" and not seen.writes and not seen.keeps:
            continue
        if not as_json:
            for line in lines(name, seen):
                echo(escaped(redact(line)))
        elif array:
            told.append({"file": name, **plain(seen)})
        else:
            _print_line({"correlation_id": envelope.correlation_id, **plain(seen)})
    if array:
        sys.stdout.buffer.write(dumps(told, indent=True) + b"\n")
    elif as_json:
        _print_line({"sums": sums.data()})
    elif queue is not None or differences:
        for line in sums.lines():
            echo(escaped(redact(line)))
    ctx.exit(DEAD if sums.dead else WAITING if sums.wait else 0)


def _print_line(data: dict[str, object]) -> None:
    sys.stdout.buffer.write(dumps(data) + b"\n")
    sys.stdout.buffer.flush()


def _foreseen(
    plan: ConsumerPlan, messages: Iterator[tuple[str, Envelope]]
) -> Iterator[tuple[str, Envelope, Foreseen]]:
    """Ask the tasks of a consumer about each message."""
    opened = OpenIntegrations()
    try:
        for name, envelope in messages:
            yield name, envelope, foresee(plan, envelope, opened)
    finally:
        opened.close_thread()
        opened.close()


def _of_files(
    plan: ConsumerPlan, files: tuple[Path, ...], content_type: str | None
) -> Iterator[tuple[str, Envelope]]:
    for path in files_of(files):
        media = content_type or (None if path == STDIN else mimetypes.guess_type(path.name)[0])
        yield str(path), first_sight(plan, body_of(path), media)


def _of_queue(config: Config, queue: str, declared: bool, limit: int) -> Iterator[tuple[str, Envelope]]:
    """Read what lies in a queue and give it back, before anything is asked about it: that may take long."""
    refuse_unseen(config, "it has no queue to look at")
    found: list[Envelope] = []
    with closing(connect(config.broker, "plan")) as connection:
        if declared:
            declare_all(connection, config)
        there = counts(connection, queue)
        if there is None:
            raise BrokerError(
                f"{config.broker} has no queue {queue!r}: where the configuration has it, --declare makes "
                "it, and binds it to its exchange"
            )
        if there[1]:
            raise BrokerError(
                f"{counted(there[1], 'consumer')} of {queue!r} would miss what is looked at meanwhile: "
                "bind a queue of its own beside it, and name that one"
            )
        for letter in look(connection, queue, stop=lambda: len(found) >= limit):
            found.append(letter.envelope)  # noqa: PERF401 - `stop` counts them meanwhile
    if there[0] > len(found):
        echo(f"the first {len(found):,} of {there[0]:,} in {queue}; --limit takes more", err=True)
    for number, one in enumerate(found, 1):
        name = f"{queue} {number}" + (f" ({one.correlation_id})" if one.correlation_id else "")
        # As nobody has handled it: what a copy says of tasks that are done is of no account here.
        yield name, evolve(one, queue=queue, done=(), rejected={}, facts={}, attempt=1, retries=0, path=())


def _consumer(config: Config, name: str | None, queue: str | None) -> ConsumerPlan:
    every = (*config.consumers, *config.disabled)
    plans = [one for one in every if name in (None, one.name)]
    if name is None and (reading := [one for one in plans if queue in one.config.queues]):
        plans = reading
    names = [one.name for one in every]
    if not plans:
        meant = did_you_mean(name or "", names)
        raise click.UsageError(f"no consumer {name!r} in {config.file}{meant}; there are: {', '.join(names)}")
    if len(plans) > 1:
        raise click.UsageError(f"which consumer is it for? Say --consumer with one of: {', '.join(names)}")
    return plans[0]
