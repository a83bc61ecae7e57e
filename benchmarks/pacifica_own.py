"""Bundles through Pacifica's own code: the tasks of pacifica-ingest 0.4.1, as its Celery workers run them.

It exists for Python 3.8 alone, and is installed from PyPI into a folder of the cache, once. What it does is
not changed: each file is put on a connection of its own; the numbers, the policy and the metadata are asked
once a bundle, so that there are 13 requests for ten files; a job's state is written nine times, each on a
connection of its own to PostgreSQL. What would come on top is left out: its front end, RabbitMQ and Celery,
and PostgreSQL syncs nothing to the disk here.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.pacifica_lean import request
from plugins.pacer_pacifica.tests.conformance.python38 import MISSING, installed, interpreter
from tests.services.postgresql import PostgreSQL

PACKAGES = ("pacifica-ingest==0.4.1", "peewee==3.13.3", "pytz", "psycopg2-binary==2.9.10")
_WORKER = """
import json, os, sys
said, sys.stdout = sys.stdout, open(os.devnull, "w")  # the tasks print what they do
from pacifica.ingest.tasks import ingest
jobs = json.loads(sys.stdin.readline())
print("ready", file=said, flush=True)
sys.stdin.readline()
for number, path in jobs:
    ingest(number, path, "bench")
"""
_MADE = (
    "INSERT INTO ingeststate (id, state, task, task_percent, exception, complete, created, updated)"
    " VALUES (%s, 'OK', 'UPLOADING', 0, '', FALSE, %s, %s)"
)
_DONE = "SELECT count(*) FROM ingeststate WHERE complete AND state = 'OK' AND task = 'ingest metadata'"


def programs() -> Path:
    """Give the folder with Pacifica's programs.

    Raises
    ------
    LookupError
        Where there is no Python 3.8.
    """
    python = interpreter()
    if python is None:
        raise LookupError(MISSING)
    return installed(python, "pacifica-ingest-38", PACKAGES)


def own(programs: Path, folder: Path, url: str, bundles: Sequence[bytes], workers: int) -> float:
    """Take all bundles through the tasks, in so many worker processes; give the seconds.

    What is timed begins when all processes wait for it, and ends when the last of them has ended. Then each
    job has to be done, in the database.
    """
    with closing(PostgreSQL()) as server:
        address = server.url().partition("?")[0]
        environment = {
            **os.environ,
            "PEEWEE_URL": address,
            "UNIQUEID_URL": f"{url}/uniqueid",
            "POLICY_INGEST_URL": f"{url}/policy/ingest",
            "ARCHIVEINTERFACE_URL": f"{url}/archive",
            "METADATA_INGEST_URL": f"{url}/metadata/ingest",
        }
        subprocess.run([programs / "pacifica-ingest-cmd", "dbsync"], env=environment, check=True)
        jobs = _spooled(folder, url, bundles)
        now = datetime.now(UTC).replace(tzinfo=None)
        with psycopg.connect(address) as database:
            database.cursor().executemany(_MADE, [(number, now, now) for number, _ in jobs])
        seconds = _timed(programs, environment, [jobs[one::workers] for one in range(workers)])
        with psycopg.connect(address) as database:
            assert database.execute(_DONE).fetchone() == (len(jobs),)
    return seconds


def _spooled(folder: Path, url: str, bundles: Sequence[bytes]) -> list[tuple[int, str]]:
    """Write the bundles where the front end would; give the number and the path of each job."""
    first = request(url, "GET", f"/uniqueid/getid?range={len(bundles)}&mode=upload_job")["startIndex"]
    jobs = []
    for number, data in enumerate(bundles, first):
        path = folder / f"{number}.tar"
        path.write_bytes(data)
        jobs.append((number, str(path)))
    return jobs


def _timed(programs: Path, environment: dict[str, str], shares: Sequence[Any]) -> float:
    command = [str(programs / "python"), "-c", _WORKER]
    processes = [
        subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        for _ in shares
    ]
    for process, share in zip(processes, shares, strict=True):
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{json.dumps(share)}\n")
        assert process.stdout.readline() == "ready\n"
    began = time.perf_counter()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
    assert [process.wait() for process in processes] == [0] * len(shares)
    return time.perf_counter() - began
