"""``pacer scicat ingest``: files by hand, or what would become of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from pacer_core import Context, PacerError, Text, config_option, consumer_by_hand, say
from pacer_scicat.client import Scicat
from pacer_scicat.command.group import scicat as group
from pacer_scicat.fields import in_version
from pacer_scicat.files.message import NexusFile
from pacer_scicat.files.task import store_nexus_file
from pacer_scicat.integration import SCICAT

_WIDTH = 100
"""Characters of a value that are shown."""


@group.command(short_help="Bring files into SciCat by hand.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@config_option
@click.option("--consumer", "-n", help="The consumer of type nexus-files, where there are several.")
@click.option("--job-id", "-j", help="The writer's job, from which a pid may be generated.")
@click.option(
    "--dry-run", "-d", is_flag=True, help="Show what would be done; SciCat is asked, nothing written."
)
@click.pass_context
def ingest(
    ctx: click.Context,
    files: tuple[Path, ...],
    file: Path,
    consumer: str | None,
    job_id: str | None,
    *,
    dry_run: bool,
) -> None:
    """Bring each of FILES into SciCat, as the consumer of the configuration does.

    With --dry-run the schema that is chosen is shown, each variable with its value and source, and the two
    requests. The exit code is 1 where a file could not be brought there.
    """
    failed = 0
    with consumer_by_hand(ctx, file, "nexus-files", consumer) as context:
        for path in files:
            message = NexusFile(Text(str(path.absolute())), job_id=job_id)
            try:
                if dry_run:
                    _show(message, context)
                else:
                    _store(message, context)
            except PacerError as error:
                failed += 1
                say(f"{path}: {error}", err=True)
    ctx.exit(1 if failed else 0)


def _store(message: NexusFile, context: Context) -> None:
    context.facts = {}
    signal = store_nexus_file(message, context)
    if isinstance(signal, PacerError):
        raise signal
    held = context.facts["scicat"]
    say(f"{message.file_name}: {held['pid']}, by schema {held['schema']}")
    for name, why in held.get("failed", {}).items():
        say(f"  without a value: {name}: {why}")


def _show(message: NexusFile, context: Context) -> None:
    from pacer_scicat.files.record import prepare  # here: HDF5 is not for every command

    scicat: Scicat = context[SCICAT]
    ready = prepare(message, context.options, scicat, sidecars=False)
    say(message.file_name, f"  schema {ready.schema.name!r} ({ready.schema.file})", "  variables:")
    for name, value in ready.variables.values.items():
        unit = f" {value.unit}" if value.unit else ""
        say(f"    {name} = {_short(value.value)}{unit}  ({value.source}, {value.type})")
    for name, why in ready.failures().items():
        say(f"    {name} has no value: {why}")
    record, version = ready.record, scicat.version
    block = {
        "datasetId": record.fields.get("pid", "<the pid that SciCat gives>"),
        "size": sum(one["size"] for one in record.files),
        "chkAlg": record.algorithm,
        "dataFileList": list(record.files),
    }
    _request(f"POST /api/{version}/datasets", in_version(record.fields, version))
    _request(f"POST /api/{version}/origdatablocks", block)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}... ({len(text)} characters)"


def _request(what: str, body: Any) -> None:
    say(f"  {what}")
    for line in json.dumps(body, ensure_ascii=False, indent=2).splitlines():
        say(f"    {line}")
