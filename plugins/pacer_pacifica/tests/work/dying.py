"""A worker that is killed: works on jobs in processes of its own, and sends them SIGKILL at a chosen call.

Counted is every call into the system, the network and the database that changes something, in all threads,
as Python's profiler sees them: just before it the process is killed.

``python -m plugins.pacer_pacifica.tests.work.dying FOLDER ADDRESSES http|folder`` reads lines ``JOB CALL``
(0: do not die; -1: count), and answers each with a line of JSON.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from plugins.pacer_pacifica.tests.work.site import Site

CHANGES = frozenset(
    {
        "rename",
        "link",
        "mkdir",
        "unlink",
        "rmdir",
        "fsync",
        "write",
        "fchmod",
        "chmod",
        "utime",
        "flock",
        "open",
    }
    | {"open", "send", "sendall", "connect", "execute", "executemany", "commit"}
)


COUNT = -1
"""In the place of a call: count them all, and do not die."""


def count_calls(die_at: int) -> itertools.count[int]:
    """Count the calls from now on, and die right before one of them."""
    calls = itertools.count(1)

    def seen(frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call" and getattr(called, "__name__", "") in CHANGES and next(calls) == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(seen)
    sys.setprofile(seen)
    return calls


def work(folder: Path, addresses: Mapping[str, str], archive: str, job_id: int, die_at: int) -> None:
    with Site(folder, addresses, on_disk=archive == "folder") as site:
        if archive == "http":
            site.archive_over_http(connections=1)
        else:
            site.archive_on_disk((str(folder / "sources"),))
        job = site.jobs.get(job_id)
        calls = count_calls(die_at) if die_at else itertools.count(1)
        delivery = site.work(job)
        sys.setprofile(None)
        threading.setprofile(None)
        result = {"calls": next(calls) - 1, "outcome": delivery.outcome.value, "error": delivery.error}
    (folder / "result.json").write_text(json.dumps(result))


def main(folder: str, addresses: str, archive: str) -> None:
    for line in sys.stdin:
        job_id, die_at = map(int, line.split())
        result = Path(folder, "result.json")
        result.unlink(missing_ok=True)
        child = os.fork()
        if not child:
            try:
                work(Path(folder), json.loads(addresses), archive, job_id, die_at)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        print(result.read_text() if result.exists() else "null", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
