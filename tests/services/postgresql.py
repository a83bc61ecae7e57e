"""A private PostgreSQL server."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.services.base import Nest, ServiceFailedError, free_port, program, wait_until

PACKAGE = "postgresql"
# Debian keeps the programs of each version apart, newest last.
FOLDERS = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), key=len)
USER = "pacer"


class PostgreSQL:
    """A PostgreSQL server of one's own: a free port, a temporary folder, and nobody else's settings.

    A context manager: the server is up inside, and nothing is left of it afterwards. It survives `kill` and
    `stop`: `start` brings it back with its data. The super-user ``pacer`` needs no password.

    Parameters
    ----------
    config
        Further settings, as in ``postgresql.conf``: ``{"max_connections": 10}``.

    Raises
    ------
    ServiceMissingError
        Where PostgreSQL is not installed.
    ServiceFailedError
        Where it does not start.
    """

    def __init__(self, *, config: Mapping[str, str | int] | None = None) -> None:
        self._server = program("postgres", *reversed(FOLDERS), package=PACKAGE)
        initdb = program("initdb", *reversed(FOLDERS), package=PACKAGE)
        self._ready = program("pg_isready", *reversed(FOLDERS), package=PACKAGE)
        self.port = free_port()
        self._config = {"fsync": "off", "listen_addresses": "127.0.0.1", **(config or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._nest = Nest("postgresql")
        self._data = self._nest.folder / "data"
        self._env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
            "LC_ALL": "C.UTF-8",
            "HOME": str(self._nest.folder),
        }
        self._user = _nobody_special()
        try:
            if self._user is not None:
                shutil.chown(self._nest.folder, self._user)
            self._run(initdb, "-D", str(self._data), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync")
            self.start()
        except BaseException:
            self._nest.close()
            raise

    @property
    def running(self) -> bool:
        """Whether the server is up, as far as its process tells."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server and wait until it answers; nothing happens where it runs already."""
        if self.running:
            return
        settings = [f"--{name}={value}" for name, value in self._config.items()]
        self._process = self._nest.start(
            self._server,
            *("-D", str(self._data), "-p", str(self.port), "-k", ""),
            *settings,
            env=self._env,
            log="output.log",
            user=self._user,
        )
        try:
            wait_until(self._answers, seconds=60, what="PostgreSQL answers")
        except ServiceFailedError as error:
            self.kill()
            raise ServiceFailedError(f"{error}\n{self.log()}") from None

    def stop(self) -> None:
        """Stop the server as for a restart: it ends every connection, and rolls back what is open."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                raise ServiceFailedError(f"PostgreSQL does not stop\n{self.log()}") from None
            finally:
                self.kill()

    def kill(self) -> None:
        """End the server at once, as a crash would: it has to recover when it starts again."""
        if self._process is not None:
            # Not SIGKILL alone: its children have process groups of their own, and would outlive it a little.
            self._process.send_signal(signal.SIGQUIT)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
            self._nest.kill(self._process)
            self._process = None

    def restart(self) -> None:
        """Stop the server in an orderly way and start it again."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End the server for good, and remove all that it has written."""
        self.kill()
        self._nest.close()

    def url(self, database: str = "postgres") -> str:
        """Give the URL of a database, as PostgreSQL's clients read it."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}?sslmode=disable"

    def log(self, lines: int = 100) -> str:
        """Give the last lines of what the server has printed."""
        file = self._nest.folder / "output.log"
        return "\n".join(file.read_text(errors="replace").splitlines()[-lines:]) if file.exists() else ""

    def _answers(self) -> bool:
        if not self.running:
            raise ServiceFailedError("PostgreSQL ended while starting")
        asked = [self._ready, "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-d", "postgres"]
        return subprocess.run(asked, env=self._env, cwd="/").returncode == 0

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            command, env=self._env, cwd=self._nest.folder, user=self._user, capture_output=True, text=True
        )
        if done.returncode:
            raise ServiceFailedError(f"{os.path.basename(command[0])}: {done.stderr or done.stdout}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _nobody_special() -> str | None:
    """Give the account that the server runs as: it refuses root, and Debian's package brings ``postgres``."""
    if os.geteuid() != 0:
        return None
    names = {one.pw_name for one in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
