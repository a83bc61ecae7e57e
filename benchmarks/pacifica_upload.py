"""How fast bundles come in over HTTP, beside a bare ASGI loop that writes the body to a file with one fsync.

    python -m benchmarks.pacifica_upload [--size MIB] [--repeats N] [--json FILE]

Both are served by uvicorn, each in a process of its own, on loopback and onto the same disk, and take turns.
One client sends the body by ``sendall`` from memory. The ratio is the median of those within each repeat. The
memory is what the service's process has above what it had before its first upload, at its largest.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

import uvicorn

from pacer_core.testing import FakeService
from pacer_pacifica.service import SERVICE, ServiceOptions
from pacer_pacifica.service.options import Authentication
from tests.services.base import free_port

ROW, TARGET = "upload/bare", "at least 0.8"
MEMORY, MEMORY_TARGET = "memory of an upload", "at most 64 MiB over idle"
BARE, OURS = "bare", "pacer"
_BLOCK = bytes(1024 * 1024)
Serve = Callable[[int, Path], None]


def serve_bare(port: int, folder: Path) -> None:
    """Write each body to a file as it comes, sync it once, and answer."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "POST":
            with open(folder / uuid4().hex, "wb", buffering=0) as file:
                more = True
                while more:
                    message = await receive()
                    file.write(message.get("body", b""))
                    more = message.get("more_body", False)
                os.fsync(file.fileno())
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    uvicorn.run(app, port=port, log_config=None, lifespan="off")


def serve_ours(port: int, folder: Path) -> None:
    """Run the service, with a broker that confirms at once."""
    options = ServiceOptions(str(folder), "bundles", Authentication(anonymous="bench"), port=port)
    FakeService(SERVICE, options, folder=folder / "state").run(lambda: False, 3600)


@contextmanager
def served(serve: Serve, folder: Path) -> Iterator[tuple[int, int]]:
    """Serve in a process of its own; give the port, and the process's number."""
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(port, folder), daemon=True)
    process.start()
    try:
        _wait_for(port)
        yield port, process.pid or 0
    finally:
        process.kill()
        process.join()


def upload(port: int, size: int) -> float:
    """Upload so many MiB; give the seconds until the answer."""
    head = f"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size * len(_BLOCK)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        began = time.perf_counter()
        connection.sendall(head.encode())
        for _ in range(size):
            connection.sendall(_BLOCK)
        answer = connection.recv(65536)
        seconds = time.perf_counter() - began
    assert answer.startswith(b"HTTP/1.1 200"), answer
    return seconds


@contextmanager
def watched(pid: int) -> Iterator[list[float]]:
    """Look at the memory of a process (MiB, private and its own) every 20 ms; give the largest seen."""
    ended, seen = threading.Event(), [_memory(pid)]

    def look() -> None:
        while not ended.wait(0.02):
            seen[0] = max(seen[0], _memory(pid))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def measure(size: int, repeats: int) -> dict[str, Any]:
    """Measure, and give what is written down."""
    seconds: dict[str, list[float]] = {BARE: [], OURS: []}
    kinds: dict[str, Serve] = {BARE: serve_bare, OURS: serve_ours}
    with tempfile.TemporaryDirectory() as place:
        folders = {name: Path(place, name) for name in kinds}
        for folder in folders.values():
            folder.mkdir()
        with served(serve_bare, folders[BARE]) as bare, served(serve_ours, folders[OURS]) as ours:
            ports = {BARE: bare[0], OURS: ours[0]}
            idle = largest = _memory(ours[1])
            for number in range(repeats + 1):  # the first one warms up
                for name in (BARE, OURS) if number % 2 else (OURS, BARE):
                    with watched(ours[1]) as seen:
                        took = upload(ports[name], size)
                    if name == OURS:
                        largest = max(largest, seen[0])
                    if number:
                        seconds[name].append(took)
                    _empty(folders[name])
    ratios = [bare / ours for bare, ours in zip(seconds[BARE], seconds[OURS], strict=True)]
    return {
        "ratios": {ROW: round(statistics.median(ratios), 3)},
        "figures": {MEMORY: round(largest - idle, 1)},
        "targets": {ROW: TARGET, MEMORY: MEMORY_TARGET},
        "seconds": {f"upload, {name}": round(statistics.median(found), 3) for name, found in seconds.items()},
        "versions": {
            "Python": platform.python_version(),
            "uvicorn": version("uvicorn"),
            "starlette": version("starlette"),
        },
        "upload": {
            "MiB": size,
            "repeats": repeats,
            "load before": round(os.getloadavg()[0], 1),
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    }


def _memory(pid: int) -> float:
    """Give the resident memory of a process that is not of files, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _empty(folder: Path) -> None:
    """Take away what was uploaded; the next one finds the disk as this one did."""
    for path in folder.iterdir():
        if path.is_file() and not path.name.startswith("jobs."):
            path.unlink()
    os.sync()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


def main() -> None:
    """Measure, print, and write where it is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pacifica_upload", description=__doc__)
    parser.add_argument("--size", type=int, default=1024, metavar="MIB")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="merge the results into this file")
    given = parser.parse_args()
    found = measure(given.size, given.repeats)
    print(json.dumps(found, indent=2))
    if given.json is not None:
        before = json.loads(given.json.read_text()) if given.json.exists() else {}
        for name, value in found.items():
            before[name] = {**before.get(name, {}), **value} if isinstance(value, dict) else value
        given.json.write_text(json.dumps(before, indent=2) + "\n")


if __name__ == "__main__":
    main()
