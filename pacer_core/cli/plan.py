"""``pacer plan``."""

from __future__ import annotations

import mimetypes
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import orjson
from attrs import asdict

from pacer_core.cli.console import echo
from pacer_core.cli.send import STDIN, body_of, files_of
from pacer_core.commands import config_option
from pacer_core.config import Config, load
from pacer_core.config.model import ConsumerPlan
from pacer_core.model.messages import Outcome, TaskFailure
from pacer_core.model.secrets import redact
from pacer_core.model.suggestions import did_you_mean
from pacer_core.observe import logs
from pacer_core.work.clients import OpenIntegrations
from pacer_core.work.planning import Foreseen, TaskForeseen, foresee

DEAD, WAITING = 1, 2
_KINDS = {"reject": "the message would be dead", "not-yet": "the message would wait"}


@click.command(short_help="Say what would become of messages, and write nothing.")
@config_option
@click.option("--consumer", "-n", help="The consumer that is to read them.")
@click.option("--content-type", "-t", help="The media type; by the file's ending where it is not given.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.argument("files", nargs=-1, required=True, type=click.Path(allow_dash=True, path_type=Path))
@click.pass_context
def plan(
    ctx: click.Context,
    file: Path,
    consumer: str | None,
    content_type: str | None,
    as_json: bool,
    files: tuple[Path, ...],
) -> None:
    """Say what each task would do with each of FILES at its end, without writing anything anywhere.

    FILES are as for `pacer send`. They are read as the consumer would read them, and its tasks are asked
    what they would do: they look things up at their ends, and write nothing. No broker is asked for anything.
    A task that cannot tell beforehand is named.

    The exit code is 0 where every message would be done, 1 where some would be dead, and else 2 where some
    would wait.
    """
    config = load(file)
    logs.set_up("WARNING")
    chosen = _consumer(config, consumer)
    opened = OpenIntegrations()
    outcomes: list[Outcome] = []
    told: list[dict[str, object]] = []
    try:
        for path in files_of(files):
            media = content_type or (None if path == STDIN else mimetypes.guess_type(path.name)[0])
            seen = foresee(chosen, body_of(path), media, opened)
            outcomes.append(seen.outcome)
            if as_json:
                told.append({"file": str(path), **_json(seen)})
                continue
            for line in _lines(path, seen):
                echo(redact(line))
    finally:
        opened.close_thread()
        opened.close()
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
    ctx.exit(DEAD if Outcome.DEAD in outcomes else WAITING if Outcome.RETRIED in outcomes else 0)


def _consumer(config: Config, name: str | None) -> ConsumerPlan:
    plans = [one for one in (*config.consumers, *config.disabled) if name in (None, one.name)]
    names = [one.name for one in (*config.consumers, *config.disabled)]
    if not plans:
        meant = did_you_mean(name or "", names)
        raise click.UsageError(f"no consumer {name!r} in {config.file}{meant}; there are: {', '.join(names)}")
    if len(plans) > 1:
        raise click.UsageError(f"which consumer is it for? Say --consumer with one of: {', '.join(names)}")
    return plans[0]


def _lines(path: Path, seen: Foreseen) -> Iterator[str]:
    yield f"{path}: {_OUTCOMES[seen.outcome]} ({seen.consumer})"
    if seen.failure is not None:
        yield from _why(seen.failure, "  ")
    for one in seen.tasks:
        yield from _task(one)


_OUTCOMES = {
    Outcome.ACKED: "would be done",
    Outcome.RETRIED: "would wait",
    Outcome.DEAD: "would be dead",
}


def _task(one: TaskForeseen) -> Iterator[str]:
    if one.failure is not None:
        yield f"  {one.task}: {_KINDS.get(one.failure.kind, 'the message would be tried again')}"
        yield from _why(one.failure, "    ")
    elif one.waits_for:
        yield f"  {one.task}: would not run before {', '.join(one.waits_for)}"
    elif one.says is None:
        yield f"  {one.task}: would run; it cannot tell beforehand what it does"
    elif not one.says:
        yield f"  {one.task}: nothing to do"
    else:
        yield f"  {one.task}:"
        for planned in one.says:
            detail = f", {planned.detail}" if planned.detail else ""
            yield f"    {planned.what}: {planned.change.replace('-', ' ')}{detail}"


def _why(failure: TaskFailure, indent: str) -> Iterator[str]:
    yield f"{indent}{failure.reason}"
    for bad in failure.fields:
        yield f"{indent}  {bad}"


def _json(seen: Foreseen) -> dict[str, object]:
    def failed(failure: TaskFailure | None) -> dict[str, object] | None:
        if failure is None:
            return None
        fields = [{"path": one.path, "message": one.message} for one in failure.fields]
        return {"kind": failure.kind, "reason": redact(failure.reason), "fields": fields}

    return {
        "consumer": seen.consumer,
        "outcome": seen.outcome.value,
        "description": seen.description,
        "failure": failed(seen.failure),
        "tasks": [
            {
                "task": one.task,
                "says": None if one.says is None else [asdict(planned) for planned in one.says],
                "failure": failed(one.failure),
                "waits_for": list(one.waits_for),
            }
            for one in seen.tasks
        ],
    }
