"""Bundles the way that Pacifica takes them, and PACER's, against the same stand-ins.

    python -m benchmarks.pacifica [--bundles N] [--repeats N] [--json FILE]

N bundles of ten files of 4 KiB are in the spool, each with its job, and go through to "OK" with the stand-ins
of `pacer_pacifica.testing` in a process of their own. Pacifica's way is four requests for each file, one
after another, each on a connection of its own: its number, the policy, the file, its metadata. Beside that
stands its way by bundle: the numbers, the policy and the metadata once, and its files one after another. The
ratios are medians of those within each repeat.

The same is done in both: the tar is read, each file hashed, compared and archived, the policy asked, the
metadata stored. PACER has two worker processes, and asks for the policy and the metadata once a bundle, as
their protocols allow, and for a hundred numbers at a time. It does more as well, and that is in its time:
every stage of a job is written to its database, its numbers and its end are synced to the disk, all headers,
sizes and hashes are checked before the first file is sent, the archive is asked whether the first number is
free, and the bundle leaves the spool. Pacifica's way keeps no state here, checks nothing, and syncs nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import io
import json
import multiprocessing
import platform
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

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
WORKERS, THREADS = 2, 4  # as `workers: 2` and `threads: 4` of a consumer
TARGET = 5.0
ROW = "bundles/pacifica-way"
PACER, ALONE = "pacer", "pacer, one worker"
FOUR, BY_BUNDLE = "four requests a file", "by bundle"


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


@contextmanager
def stand_ins() -> Iterator[str]:
    """Start the stand-ins in a process of their own; give their address."""
    command = [sys.executable, "-m", "pacer_pacifica.testing", "--forget"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def ours(folder: Path, url: str, bundles: Sequence[bytes], workers: int = WORKERS) -> float:
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


def request(url: str, method: str, path: str, body: bytes = b"", **headers: str) -> Any:
    """Send a request on a connection of its own; give what is answered."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        said = answer.read()
        assert answer.status in (200, 201), (path, answer.status, said)
        return json.loads(said)
    finally:
        connection.close()


def taken(data: bytes) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """Open a bundle; give its rows and its files."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        contents = {}
        for member in archive:
            file = archive.extractfile(member)
            assert file is not None
            contents[member.name] = file.read()
    return json.loads(contents.pop("metadata.txt")), contents


def put(url: str, number: int, content: bytes, row: dict[str, Any]) -> None:
    """Hash a file, and put it into the archive."""
    assert hashlib.sha1(content).hexdigest() == row["hashsum"]
    modified = "Tue Jul 15 10:00:00 2025"
    request(url, "PUT", f"/archive/{number}", content, **{"Last-Modified": modified})


def per_file(url: str, bundles: Sequence[bytes]) -> float:
    """Take all bundles the way of four requests for each file, one after another; give the seconds."""
    began = time.perf_counter()
    for data in bundles:
        rows, contents = taken(data)
        terms = [row for row in rows if row["destinationTable"] != "Files"]
        for row in rows:
            if row["destinationTable"] != "Files":
                continue
            number = request(url, "GET", "/uniqueid/getid?range=1&mode=file")["startIndex"]
            transaction = {"destinationTable": "Transactions._id", "value": number}
            request(url, "POST", "/policy/ingest", json.dumps(rows).encode())
            put(url, number, contents[f"data/{row['name']}"], row)
            said = [*terms, {**row, "_id": number, "subdir": ""}, transaction]
            request(url, "PUT", "/metadata/ingest", json.dumps(said).encode())
    return time.perf_counter() - began


def per_bundle(url: str, bundles: Sequence[bytes]) -> float:
    """Take all bundles with everything but their files in one request each; give the seconds."""
    began = time.perf_counter()
    for data in bundles:
        rows, contents = taken(data)
        job = request(url, "GET", "/uniqueid/getid?range=1&mode=upload_job")["startIndex"]
        first = request(url, "GET", f"/uniqueid/getid?range={FILES}&mode=file")["startIndex"]
        request(url, "POST", "/policy/ingest", json.dumps(rows).encode())
        for number, row in enumerate((row for row in rows if row["destinationTable"] == "Files"), first):
            put(url, number, contents[f"data/{row['name']}"], row)
            row |= {"_id": number, "subdir": ""}
        rows.append({"destinationTable": "Transactions._id", "value": job})
        request(url, "PUT", "/metadata/ingest", json.dumps(rows).encode())
    return time.perf_counter() - began


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print; with ``--json`` write what was found into the file, beside what others wrote."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pacifica", description=__doc__)
    parser.add_argument("--bundles", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    bundles = [bundle(number) for number in range(given.bundles)]
    found: dict[str, list[float]] = {name: [] for name in (PACER, ALONE, FOUR, BY_BUNDLE)}
    with tempfile.TemporaryDirectory(prefix="pacifica-bench-") as folder:
        ways: dict[str, Callable[[str], float]] = {
            PACER: lambda url: ours(Path(folder), url, bundles),
            ALONE: lambda url: ours(Path(folder), url, bundles, 1),
            FOUR: lambda url: per_file(url, bundles),
            BY_BUNDLE: lambda url: per_bundle(url, bundles),
        }
        for _ in range(given.repeats):
            for name, way in ways.items():
                with stand_ins() as url:
                    found[name].append(way(url))
    ratios = {
        name: statistics.median(theirs / mine for theirs, mine in zip(found[other], found[own], strict=True))
        for name, other, own in (
            (ROW, FOUR, PACER),
            (f"{ROW}/one-worker", FOUR, ALONE),
            (f"{ROW}/by-bundle", BY_BUNDLE, PACER),
        )
    }
    print(f"{given.bundles} bundles of {FILES} files of {SIZE} bytes, medians of {given.repeats}:")
    for name, seconds in found.items():
        print(f"{given.bundles / statistics.median(seconds):10.0f} bundles/s  {name}")
    for name, ratio in ratios.items():
        print(f"{ratio:10.2f}  {name}{f' (to reach: {TARGET:g})' if name == ROW else ''}")
    if given.json:
        write(
            given.json, ratios, {name: statistics.median(one) for name, one in found.items()}, given.repeats
        )


def write(path: Path, ratios: dict[str, float], seconds: dict[str, float], repeats: int) -> None:
    """Merge what was found into a file of results."""
    data: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    found: dict[str, Any] = {
        "ratios": {name: round(value, 3) for name, value in ratios.items()},
        "targets": {ROW: TARGET},
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "versions": {"Python": platform.python_version(), "httpcore": version("httpcore")},
        "hardware": hardware(),
        "repeats": repeats,
    }
    for name, value in found.items():
        data[name] = {**data.get(name, {}), **value} if isinstance(value, dict) else value
    path.write_text(f"{json.dumps(data, indent=2)}\n")


if __name__ == "__main__":
    main()
