"""A folder becomes a bundle, goes up over HTTP, and ends in an archive and in ICAT.

Everything is on this machine, and gone in the end: the broker is a file, the ICAT a sandbox on loopback.
"""

from __future__ import annotations

import os
import secrets
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import icat.client

from pacer_sandbox import IcatSandbox

HERE = Path(__file__).parent
INVESTIGATION = "20250330096"  # one of the sandbox's


def main() -> None:
    """Run the example."""
    with tempfile.TemporaryDirectory(prefix="pacer-pacifica-") as name, IcatSandbox(seed="demo") as sandbox:
        folder, port = Path(name), free_port()
        os.environ |= {
            "EXAMPLE_SPOOL": f"{folder}/spool",
            "EXAMPLE_ARCHIVE": f"{folder}/archive",
            "EXAMPLE_PORT": f"{port}",
            "EXAMPLE_ICAT_URL": sandbox.url,
            "EXAMPLE_ICAT_PASSWORD": "secret",
            "PACER_PACIFICA_TOKEN": secrets.token_urlsafe(),
            "PACER_CONFIG": str(HERE / "pacer.yaml"),
            "XDG_STATE_HOME": f"{folder}/state",
        }
        (folder / "archive").mkdir()
        measured = measure(folder / "run17")
        with running(folder, port):
            url = f"http://127.0.0.1:{port}"
            terms = ["--submitter", "10", "--project", INVESTIGATION, "--instrument", "54"]
            keys = ["--key", "run=run17", "--key", "sample=Lysozyme"]
            pacer(folder, "pacifica", "upload", measured.name, "--url", url, *terms, *keys, "--wait")
            pacer(folder, "pacifica", "list")
            pacer(folder, "pacifica", "show", "1")
        print("In the archive:")
        for path in sorted((folder / "archive" / "jobs").rglob("*")):
            if path.is_file():
                print(f"  {path.relative_to(folder)}")
        show_catalogue(sandbox.url)


def measure(folder: Path) -> Path:
    """Write what an instrument has measured."""
    (folder / "raw").mkdir(parents=True)
    (folder / "notes.txt").write_text("a good run\n")
    for number in range(3):
        (folder / "raw" / f"scan_{number}.dat").write_bytes(bytes(range(256)) * 400)
    return folder


@contextmanager
def running(folder: Path, port: int) -> Iterator[None]:
    """Run PACER until the block ends, from the moment on that the service answers."""
    print("$ pacer run &")
    with (folder / "pacer.log").open("w") as log:
        command = [sys.executable, "-m", "pacer_core", "run"]
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)  # noqa: S603 - our own
    try:
        for _ in range(600):
            if process.poll() is not None:
                raise SystemExit((folder / "pacer.log").read_text())
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()


def pacer(folder: Path, *arguments: str) -> None:
    """Run a command of PACER's, and show what it prints."""
    print(f"$ pacer {shlex.join(arguments)}", flush=True)
    command = [sys.executable, "-m", "pacer_core", *arguments]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own
    print(done.stdout)
    if done.returncode:
        raise SystemExit(
            f"pacer {arguments[0]} ended with {done.returncode}:\n{(folder / 'pacer.log').read_text()}"
        )


def show_catalogue(url: str) -> None:
    """Read the dataset back with plain python-icat."""
    client = icat.client.Client(f"{url}/ICATService/ICAT?wsdl")
    client.login("simple", {"username": "root", "password": "secret"})
    query = "SELECT d FROM Dataset d WHERE d.name = 'run17' INCLUDE d.investigation, d.sample, d.datafiles"
    for dataset in client.search(query):
        print(
            f"In ICAT: dataset {dataset.name} of {dataset.investigation.name}, sample {dataset.sample.name}"
        )
        for file in sorted(dataset.datafiles, key=lambda one: str(one.name)):
            print(f"  {file.name}, {file.fileSize:,} bytes")
    client.logout()


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
