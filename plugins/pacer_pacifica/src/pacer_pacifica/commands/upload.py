"""``pacer pacifica upload``: a folder becomes a bundle, and goes up in parts, which a break does not lose."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import orjson
from attrs import evolve
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from pacer_core import PacerError, Secret, say
from pacer_http import HttpClient
from pacer_pacifica.commands.bundle import (
    Piece,
    Source,
    digest_of,
    length_of,
    metadata_of,
    pieces_of,
    sources_in,
)
from pacer_pacifica.commands.resuming import Remembered, send
from pacer_pacifica.sizes import size

_PATIENCE = timedelta(seconds=60)
_LOOK = 2.0  # seconds between two looks at a job that is waited for


@click.command(short_help="Upload the files of a folder as one bundle.")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--url", required=True, envvar="PACER_PACIFICA_URL", show_envvar=True, help="Where the service is."
)
@click.option(
    "--metadata",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="JSON: an array of objects.",
)
@click.option("--submitter", help="Who submits it.")
@click.option("--project", help="The project, or proposal, that it belongs to.")
@click.option("--instrument", help="The instrument that it comes from.")
@click.option("--key", "-k", "keys", multiple=True, metavar="KEY=VALUE", help="What is to be known of it.")
@click.option("--part", default="64MiB", show_default=True, help="How much goes up in one request.")
@click.option("--wait", is_flag=True, help="Wait for the job's end; exit with 1 where it fails.")
@click.pass_context
def upload(
    ctx: click.Context,
    /,
    folder: Path,
    url: str,
    metadata: Path | None,
    keys: Sequence[str],
    part: str,
    wait: bool,
    **terms: str | None,
) -> None:
    """Upload the files of FOLDER as one bundle; begun again, it goes on where it broke off.

    The token is read from the environment variable PACER_PACIFICA_TOKEN.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise click.UsageError("--url should begin with https:// or http://")
    most = size(part)
    if not most:
        raise click.UsageError("--part should be a size such as 64MiB")
    remembered = Remembered.of(folder, url)
    objects = _objects(metadata, terms, keys)
    with _progress() as progress, _client(url) as http:
        sources = _hashed(progress, sources_in(folder), remembered)
        pieces = pieces_of(sources, metadata_of(sources, objects))
        total, task = length_of(pieces), progress.add_task("sending", total=length_of(pieces))
        job_id = send(
            http,
            pieces,
            total,
            most,
            remembered,
            _print_of(pieces),
            lambda there: progress.update(task, completed=there),
        )
    say(f"job {job_id}")
    if wait and not _ends_well(url, job_id):
        ctx.exit(1)


def _objects(
    metadata: Path | None, terms: dict[str, str | None], keys: Sequence[str]
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if metadata is not None:
        try:
            given = orjson.loads(metadata.read_bytes())
        except orjson.JSONDecodeError as error:
            raise PacerError(f"{metadata} is no JSON: {error}") from None
        if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
            raise PacerError(f"{metadata} should hold an array of objects")
        found += [one for one in given if one.get("destinationTable") != "Files"]
    tables = {
        "submitter": "Transactions.submitter",
        "project": "Transactions.project",
        "instrument": "Transactions.instrument",
    }
    found += [
        {"destinationTable": tables[name], "value": value}
        for name, value in terms.items()
        if value is not None
    ]
    for one in keys:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise click.UsageError("--key should be KEY=VALUE")
        found.append({"destinationTable": "TransactionKeyValue", "key": name, "value": value})
    return found


def _hashed(progress: Progress, sources: list[Source], remembered: Remembered) -> list[Source]:
    """Hash the files; those that have not changed since an earlier try are not read again."""
    task = progress.add_task("hashing", total=sum(one.size for one in sources))
    hashed = []
    for one in sources:
        known = remembered.digest(one)
        if known is None:
            known = digest_of(one, lambda more: progress.advance(task, more))
            remembered.note(one, known)
        else:
            progress.advance(task, one.size)
        hashed.append(evolve(one, digest=known))
    return hashed


def _print_of(pieces: Sequence[Piece]) -> str:
    """Give what tells one bundle from another: its headers and its metadata, with the hashes of the files."""
    seen = hashlib.sha256()
    for piece in pieces:
        seen.update(piece.data)
    return seen.hexdigest()


def _ends_well(url: str, job_id: int) -> bool:
    with _client(url) as http:
        while True:
            job = http.request("GET", "/get_state", params={"job_id": job_id}).entries()
            if job.get("complete"):
                break
            time.sleep(_LOOK)
    why = f": {job['exception']}" if job.get("exception") else ""
    say(f"job {job_id}: {job['state']}, {job['task']}{why}")
    return bool(job["state"] == "OK")


@contextmanager
def _client(url: str) -> Iterator[HttpClient]:
    token = os.environ.get("PACER_PACIFICA_TOKEN")
    authorization = None if token is None else ("Bearer", Secret(token))
    with HttpClient("the service", url, timeout=_PATIENCE, authorization=authorization) as http:
        yield http


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
