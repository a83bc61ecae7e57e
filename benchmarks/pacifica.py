"""Bundles the way that Pacifica takes them, and PACER's, against the same stand-ins.

    python -m benchmarks.pacifica [--bundles N] [--repeats N] [--row NAME] [--json FILE]

N bundles of ten files of 4 KiB are in the spool, each with its job, and go through to "OK" with stand-ins in
a process of their own. The ratios are medians of those within each repeat:

``bundles/pacifica-way``
    Pacifica's own code (`benchmarks.pacifica_own`) in two worker processes, as Celery starts them for two
    cores, beside PACER's two.
``bundles/pacifica-way/one-worker``
    One of each.
``bundles/pacifica-way/lean-four-requests-a-file``
    Four requests for each file, one after another: its number, the policy, the file, its metadata. They are
    sent by hand (`benchmarks.pacifica_lean`), and nothing else is done: no job has a state, and nothing is
    checked or synced. Beside PACER's two worker processes.
``bundles/pacifica-way/lean-by-bundle``
    The same with the numbers, the policy and the metadata once a bundle, which is what Pacifica's code asks.

The same is done in all: the tar is read, each file hashed, compared and archived, the policy asked, the
metadata stored. As Pacifica does, and no lean way, PACER writes every stage of a job to its database, and
takes the bundle out of the spool. More than all of them it syncs a job's numbers and its end to the disk,
checks all headers, sizes and hashes before the first file is sent, and asks the archive whether the first
number is free. It asks for a hundred numbers of files at a time.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import multiprocessing
import os
import platform
import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable, Container, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

from attrs import frozen

from benchmarks.pacifica_lean import per_bundle, per_file
from benchmarks.pacifica_own import own, programs
from benchmarks.pacifica_services import stand_ins
from benchmarks.report import hardware
from pacer_core import IntegrationType
from pacer_core.testing import deliver
from pacer_pacifica import PACIFICA, PacificaOptions
from pacer_pacifica.archive import PACIFICA_ARCHIVE, ArchiveOptions
from pacer_pacifica.archive.integration import open_archive
from pacer_pacifica.ends.metadata import PACIFICA_METADATA, MetadataOptions, open_metadata
from pacer_pacifica.ends.policy import PACIFICA_POLICY, PolicyOptions, open_policy
from pacer_pacifica.integration import database_of, ids_of, open_pacifica
from pacer_pacifica.jobs import UPLOAD, UPLOAD_JOB
from pacer_pacifica.messages import BUNDLES, message_of
from pacer_pacifica.work.consumers import consumer_types

FILES, SIZE = 10, 4096
WORKERS, THREADS = 2, 2  # as `workers` and `concurrency` of a consumer; more gain nothing on two cores
PACER, PACER_ALONE = "pacer", "pacer, one worker"
PACIFICA_WAY, PACIFICA_ALONE = "pacifica", "pacifica, one worker"
FOUR, BY_BUNDLE = "lean, four requests a file", "lean, by bundle"
Way = Callable[[str], float]
"""Takes the bundles with the stand-ins at an address; gives the seconds."""


def bundle(number: int) -> bytes:
    """Give a bundle; each has contents of its own."""
    contents = {
        f"data/{one}.bin": hashlib.shake_128(f"{number} {one}".encode()).digest(SIZE) for one in range(FILES)
    }
    rows: list[dict[str, Any]] = [
        {"destinationTable": "Transactions.submitter", "value": 10},
        {"destinationTable": "Transactions.project", "value": "1234a"},
        {"destinationTable": "Transactions.instrument", "value": 54},
    ]
    rows += [
        {
            "destinationTable": "Files",
            "name": path.removeprefix("data/"),
            "subdir": "data",
            "size": SIZE,
            "hashtype": "sha1",
            "hashsum": hashlib.sha1(content).hexdigest(),
            "mimetype": "application/octet-stream",
            "mtime": "2025-07-15T10:00:00",
            "ctime": "2025-07-15T10:00:00",
        }
        for path, content in contents.items()
    ]
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in {"metadata.txt": json.dumps(rows).encode(), **contents}.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def ours(folder: Path, url: str, bundles: Sequence[bytes], workers: int) -> float:
    """Take all bundles through the tasks, in worker processes with threads of their own; give the seconds.

    What is timed begins when all processes wait for it, and ends when the last job is done, in the database.
    """
    spool = folder / f"spool-{uuid4().hex[:8]}"
    spool.mkdir()
    options = PacificaOptions(str(spool), unique_id_url=f"{url}/uniqueid")
    with (
        open_pacifica(options) as pacifica,
        closing(database_of(options)) as database,
        ids_of(options.unique_id_url, database) as ids,
    ):
        first = ids.take(UPLOAD_JOB, len(bundles))
        jobs = []
        for number, data in enumerate(bundles, first):
            name = f"{uuid4().hex}.bundle"
            (spool / name).write_bytes(data)
            jobs.append(pacifica.jobs.create(number, UPLOAD, name=name, user="bench", size=len(data)))
        context = multiprocessing.get_context("spawn")
        start = context.Barrier(workers + 1)
        messages = [message_of(job)[0] for job in jobs]
        processes = [
            context.Process(target=work, args=(options, url, messages[one::workers], start))
            for one in range(workers)
        ]
        for process in processes:
            process.start()
        start.wait(60)
        began = time.perf_counter()
        for process in processes:
            process.join()
        seconds = time.perf_counter() - began
        assert all(process.exitcode == 0 for process in processes)
        assert all(pacifica.jobs.get(job.id).status == "done" for job in jobs)
    return seconds


def work(options: PacificaOptions, url: str, messages: Sequence[bytes], start: Any) -> None:
    """Be a worker of PACER's: take messages through the tasks of the consumer type, in a few threads."""
    with ExitStack() as stack:
        integrations: dict[IntegrationType[Any], Any] = {
            PACIFICA: stack.enter_context(open_pacifica(options)),
            PACIFICA_POLICY: stack.enter_context(open_policy(PolicyOptions(url=f"{url}/policy/ingest"))),
            PACIFICA_ARCHIVE: stack.enter_context(open_archive(ArchiveOptions(url=f"{url}/archive"))),
            PACIFICA_METADATA: stack.enter_context(open_metadata(MetadataOptions(url=f"{url}/metadata"))),
        }
        consumer = next(one for one in consumer_types() if one.name == BUNDLES)

        def handle(message: bytes) -> None:
            delivery = deliver(consumer, message, integrations=integrations)
            assert delivery.error is None, delivery.error

        start.wait(60)
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(handle, messages))


@frozen
class Row:
    """A ratio: how much longer one way takes than the other."""

    name: str
    theirs: str
    ours: str = PACER


ROW = "bundles/pacifica-way"
TARGET = 5.0
ROWS = (
    Row(ROW, PACIFICA_WAY),
    Row(f"{ROW}/one-worker", PACIFICA_ALONE, PACER_ALONE),
    Row(f"{ROW}/lean-four-requests-a-file", FOUR),
    Row(f"{ROW}/lean-by-bundle", BY_BUNDLE),
)


def ways(folder: Path, bundles: Sequence[bytes], wanted: Container[str]) -> dict[str, Way]:
    """Give those of the ways that are wanted and can be had; says which cannot, and why."""
    all_ways: dict[str, Way] = {
        PACER: lambda url: ours(folder, url, bundles, WORKERS),
        PACER_ALONE: lambda url: ours(folder, url, bundles, 1),
        FOUR: lambda url: per_file(url, bundles),
        BY_BUNDLE: lambda url: per_bundle(url, bundles),
    }
    if PACIFICA_WAY in wanted or PACIFICA_ALONE in wanted:
        try:
            installed = programs()
        except LookupError as error:
            print(f"left out, Pacifica's own code: {error}")
        else:
            all_ways[PACIFICA_WAY] = lambda url: own(installed, folder, url, bundles, WORKERS)
            all_ways[PACIFICA_ALONE] = lambda url: own(installed, folder, url, bundles, 1)
    return {name: way for name, way in all_ways.items() if name in wanted}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print; with ``--json`` write what was found into the file, beside what others wrote."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pacifica", description=__doc__)
    parser.add_argument("--bundles", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--row", action="append", choices=[row.name for row in ROWS], help="may be repeated")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    rows = [row for row in ROWS if not given.row or row.name in given.row]
    load = os.getloadavg()[0]
    bundles = [bundle(number) for number in range(given.bundles)]
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="pacifica-bench-") as folder:
        wanted = ways(Path(folder), bundles, {name for row in rows for name in (row.theirs, row.ours)})
        for _ in range(given.repeats):
            for name, way in wanted.items():
                with stand_ins() as url:
                    found.setdefault(name, []).append(way(url))
    ratios = {
        row.name: statistics.median(a / b for a, b in zip(found[row.theirs], found[row.ours], strict=True))
        for row in rows
        if row.theirs in found
    }
    print(f"{given.bundles} bundles of {FILES} files of {SIZE} bytes, medians of {given.repeats}:")
    for name, seconds in found.items():
        print(f"{given.bundles / statistics.median(seconds):10.0f} bundles/s  {name}")
    for name, ratio in ratios.items():
        print(f"{ratio:10.2f}  {name}{f' (to reach: {TARGET:g})' if name == ROW else ''}")
    if given.json:
        medians = {name: statistics.median(seconds) for name, seconds in found.items()}
        write(given.json, ratios, medians, given.repeats, load)


def write(
    path: Path, ratios: Mapping[str, float], seconds: Mapping[str, float], repeats: int, load: float
) -> None:
    """Merge what was found into a file of results."""
    data: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    measured = {
        "repeats": repeats,
        "load before": round(load, 1),
        "when": datetime.now(UTC).isoformat("T", "seconds"),
    }
    found: dict[str, Any] = {
        "ratios": {name: round(value, 3) for name, value in ratios.items()},
        "targets": {ROW: TARGET},
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "versions": {"Python": platform.python_version(), "httpcore": version("httpcore")},
        "hardware": hardware(),
        "bundles": dict.fromkeys(ratios, measured),
    }
    for name, value in found.items():
        data[name] = {**data.get(name, {}), **value}
    path.write_text(f"{json.dumps(data, indent=2)}\n")


if __name__ == "__main__":
    main()
