"""For tests, benchmarks and pictures: a dashboard in a process of its own, on a database of one's own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from attrs import define, field

from pacer_dashboard.place import Place
from pacer_dashboard.records import Record

KEY = "of-no-use-to-anybody-who-reads-it-as-it-signs-sessions-of-tests-alone"
STARTED, STOPPED = 90.0, 20.0
"""Seconds that a server may take to answer, and to end."""


def free_port() -> int:
    """Give a port that nobody listens at just now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@define
class Site:
    """A dashboard that is served; its database is this process's as well, by `store` and `session`.

    ``environment`` is added to this process's own for the server.
    """

    place: Place
    folder: Path
    environment: Mapping[str, str] = field(factory=dict)
    root: str = ""
    port: int = field(factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address, with a slash at the end."""
        return f"http://127.0.0.1:{self.port}{self.root}/"

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self._process is not None, "it is not started"  # noqa: S101 - of tests
        return self._process.pid

    def start(self) -> None:
        """Start the server, and return when it answers.

        Raises
        ------
        RuntimeError
            Where it does not, with what it said.
        """
        said = self.folder / "serve.out"
        database = str(self.place.folder) if self.place.url is None else self.place.url
        environment = {
            **os.environ,
            "SECRET_KEY": KEY,
            "PACER_DASHBOARD_DATABASE": database,
            "ALLOWED_HOSTS": "127.0.0.1",
            "PACER_DASHBOARD_HTTPS": "no",
            "FORCE_SCRIPT_NAME": self.root,
            **self.environment,
        }
        with said.open("ab") as out:
            self._process = subprocess.Popen(  # noqa: S603 - our own
                [sys.executable, "-m", "pacer_core", "dashboard", "serve", "--port", str(self.port)],
                env=environment,
                cwd=self.folder,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        until = time.monotonic() + STARTED
        while time.monotonic() < until and self._process.poll() is None:
            if self._answers():
                return
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"the dashboard does not answer:\n{said.read_text(errors='replace')[-4000:]}")

    def stop(self) -> None:
        """End the server; streams that are open break."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOPPED)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def store(self, records: Sequence[Record]) -> None:
        """Store records as the writer does."""
        from pacer_dashboard.start import prepare

        prepare(self.place)
        from pacer_dashboard import store

        for begin in range(0, len(records), 500):
            store.store(records[begin : begin + 500])

    def session(self, name: str = "operator", **changes: Any) -> dict[str, str]:
        """Give the cookie of somebody who is logged in: by default of one who may do everything."""
        from pacer_dashboard.start import prepare

        prepare(self.place)
        from django.conf import settings
        from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
        from django.contrib.sessions.backends.db import SessionStore

        settings.SECRET_KEY = KEY  # sessions are signed by it
        user, _ = get_user_model().objects.get_or_create(
            username=name, defaults={"is_superuser": True, "is_staff": True, **changes}
        )
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[-1]
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.create()
        return {"name": "pacer_session", "value": str(session.session_key), "url": self.url}

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self.url}login", timeout=5):  # noqa: S310 - our own
                return True
        except HTTPError:
            return True
        except (URLError, OSError):
            return False
