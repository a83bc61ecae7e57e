"""What every private server rests on: its program, a free port, and a nest that leaves nothing behind."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

# Below 32768: the kernel takes the ports of outgoing connections from above, and a port that is free now
# has to be free again when a server is restarted.
PORTS = range(12000, 32000)

# The guard reads the process groups that are alive, one line for each change, until its standard input
# ends: because the nest was closed, or because we are dead. It then ends what is left and removes the folder.
GUARD = """
trap '' HUP INT TERM
alive=
while read -r line; do alive=$line; done
for group in $alive; do kill -s KILL -- "-$group"; done 2>/dev/null
for attempt in 1 2 3 4 5; do rm -rf -- "$1" 2>/dev/null && exit; sleep 0.2; done
rm -rf -- "$1"
"""


class ServiceMissingError(Exception):
    """A server's program is not installed; the message names the Debian package that brings it."""


class ServiceFailedError(Exception):
    """A server did not start, or refused what it was told; the message ends with its last words."""


def program(name: str, *folders: str, package: str) -> str:
    """Give the path of an installed program, looked up in ``folders`` first and then on the path.

    Raises
    ------
    ServiceMissingError
        Where it is not installed; ``package`` is the Debian package that brings it.
    """
    found = shutil.which(name, path=os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)]))
    if found is None:
        raise ServiceMissingError(
            f"{name} is not installed: on Debian and Ubuntu, 'apt-get install {package}' brings it"
        )
    return found


def program_elsewhere(root: str, *paths: str, variable: str) -> tuple[str, ...]:
    """Give what starts a program of another system, whose root an environment variable names; for root.

    Raises
    ------
    ServiceMissingError
        Where that is no such system, or has none of these paths.
    """
    if not os.path.ismount(os.path.join(root, "proc")):
        raise ServiceMissingError(
            f"{variable} names {root}, where /proc is not mounted: "
            f"tests/services/debian.sh {root} makes and mounts it"
        )
    there = [path for path in paths if os.path.lexists(root + path)]
    if not there:
        raise ServiceMissingError(f"{variable} names {root}, which has no {os.path.basename(paths[0])}")
    return ("chroot", root, there[0])


def free_port() -> int:
    """Give a TCP port of the loopback interface that nobody listens on."""
    for port in random.SystemRandom().sample(PORTS, 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port
    raise ServiceFailedError(f"none of 100 ports tried between {PORTS.start} and {PORTS.stop} is free")


def wait_until(ready: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Wait until ``ready()`` is true, and raise `ServiceFailedError` where that takes too long."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise ServiceFailedError(f"{what}: not within {seconds:g} seconds")
        time.sleep(0.02)


def listens(port: int, say: bytes = b"") -> bool:
    """Tell whether something listens on a port and, where we say something, answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(say)
            return not say or bool(connection.recv(1))
    except OSError:
        return False


class Nest:
    """A temporary folder with processes in it.

    Both vanish when the nest is closed, and also when the process that made it dies without closing it.
    """

    def __init__(self, name: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"pacer-{name}-"))
        self._processes: list[subprocess.Popen[bytes]] = []
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, "guard", str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            process_group=0,
        )

    def start(
        self, *command: str, env: Mapping[str, str], log: str, user: str | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a command inside the folder, as a process group of its own; its output goes to ``log``.

        Only root may start it as another ``user``.
        """
        with (self.folder / log).open("ab") as output:
            process = subprocess.Popen(
                command,
                env=env,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
                user=user,
            )
        self._processes.append(process)
        self._tell_guard()
        return process

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """End a process and its children at once."""
        with suppress(ProcessLookupError):  # where it has ended by itself, and its children with it
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self._processes.remove(process)
        self._tell_guard()

    def close(self) -> None:
        """End every process and remove the folder."""
        for process in list(self._processes):
            self.kill(process)
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        self._guard.wait()

    def _tell_guard(self) -> None:
        if self._guard.stdin is not None:
            self._guard.stdin.write((" ".join(str(one.pid) for one in self._processes) + "\n").encode())
            self._guard.stdin.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
