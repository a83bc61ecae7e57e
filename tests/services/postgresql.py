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

from tests.services.base import Nest, ServiceFailedError, free_port, program
from tests.services.server import Server

PACKAGE = "postgresql"
# Debian keeps the programs of each version apart, newest last.
FOLDERS = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), key=len)
USER = "pacer"


class PostgreSQL(Server):
    """A PostgreSQL server of one's own: a free port, a temporary folder, and nobody else's settings.

    The super-user ``pacer`` needs no password.

    Parameters
    ----------
    config
        Further settings, as in ``postgresql.conf``: ``{"max_connections": 10}``.
    data
        A folder for its files that stays, and is taken up where it has some; stop it before it is closed.

    Raises
    ------
    ServiceMissingError
        Where PostgreSQL is not installed.
    ServiceFailedError
        Where it does not start.
    """

    name = "PostgreSQL"
    stop_signal = signal.SIGINT  # it ends every connection, and rolls back what is open

    def __init__(self, *, config: Mapping[str, str | int] | None = None, data: Path | None = None) -> None:
        self._server = program("postgres", *reversed(FOLDERS), package=PACKAGE)
        initdb = program("initdb", *reversed(FOLDERS), package=PACKAGE)
        self._ready = program("pg_isready", *reversed(FOLDERS), package=PACKAGE)
        self.port = free_port()
        self._config = {"fsync": "off", "listen_addresses": "127.0.0.1", **(config or {})}
        super().__init__(Nest("postgresql"))
        self._data = (self._nest.folder / "data") if data is None else data.absolute()
        self._env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
            "LC_ALL": "C.UTF-8",
            "HOME": str(self._nest.folder),
        }
        self._user = _nobody_special()
        try:
            if self._user is not None:
                shutil.chown(self._nest.folder, self._user)
            if not (self._data / "PG_VERSION").exists():
                self._make(initdb)
            self.start()
        except BaseException:
            self._nest.close()
            raise

    def _launch(self) -> subprocess.Popen[bytes]:
        settings = [f"--{name}={value}" for name, value in self._config.items()]
        return self._nest.start(
            self._server,
            *("-D", str(self._data), "-p", str(self.port), "-k", ""),
            *settings,
            env=self._env,
            log="output.log",
            user=self._user,
        )

    def kill(self) -> None:
        """End the server at once, as a crash would: it has to recover when it starts again."""
        if self._process is not None:
            # Not SIGKILL alone: its children have process groups of their own, and would outlive it a little.
            self._process.send_signal(signal.SIGQUIT)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
        super().kill()

    def url(self, database: str = "postgres") -> str:
        """Give the URL of a database, as PostgreSQL's clients read it."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}?sslmode=disable"

    def log(self, lines: int = 100) -> str:
        """Give the last lines of what the server has printed."""
        file = self._nest.folder / "output.log"
        return "\n".join(file.read_text(errors="replace").splitlines()[-lines:]) if file.exists() else ""

    def _responds(self) -> bool:
        asked = [self._ready, "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-d", "postgres"]
        return subprocess.run(asked, env=self._env, cwd="/").returncode == 0

    def _make(self, initdb: str) -> None:
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._user is not None:
            shutil.chown(self._data, self._user)
        self._run(initdb, "-D", str(self._data), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync")

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            command, env=self._env, cwd=self._nest.folder, user=self._user, capture_output=True, text=True
        )
        if done.returncode:
            raise ServiceFailedError(f"{os.path.basename(command[0])}: {done.stderr or done.stdout}")


def _nobody_special() -> str | None:
    """Give the account that the server runs as: it refuses root, and Debian's package brings ``postgres``."""
    if os.geteuid() != 0:
        return None
    names = {one.pw_name for one in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
