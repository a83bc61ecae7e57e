"""The service, running in a thread of a test, with a broker that the test stands for."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from attrs import define

from pacer_core import Publication, Secret
from pacer_core.testing import FakeService
from pacer_pacifica.jobs import Database, Jobs
from pacer_pacifica.service import SERVICE, ServiceOptions
from pacer_pacifica.service.options import Authentication, Token
from tests.services.base import free_port

AUTHENTICATION = Authentication(
    tokens=(
        Token("alice", Secret("alices-token")),
        Token("bob", Secret("bobs-token")),
        Token("root", Secret("roots-token")),
    ),
    administrators=("root",),
)


@define
class Door:
    """A service that runs."""

    service: FakeService
    spool: Path
    port: int
    client: httpx.Client
    end: Callable[[], None]
    """Has the service stop."""

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def jobs(self) -> Jobs:
        """Its jobs."""
        return Jobs(self.database)

    @property
    def database(self) -> Database:
        """Its database."""
        return Database(self.service.options.database or f"{self.spool}/jobs.sqlite")

    def files(self) -> list[str]:
        """Give all bundles, and parts of some, in the spool."""
        found = (one.relative_to(self.spool) for one in self.spool.rglob("*") if one.is_file())
        return sorted(f"{one}" for one in found if not one.name.startswith("jobs.sqlite"))

    def connect(self) -> socket.socket:
        """Open a connection."""
        return socket.create_connection(("127.0.0.1", self.port), 30)


@contextmanager
def running(
    folder: Path,
    *,
    broker: Callable[[Publication], object] = lambda _: None,
    token: str = "alices-token",
    **options: Any,
) -> Iterator[Door]:
    """Run the service until the block ends."""
    spool, port = folder / "spool", free_port()
    given = {"authentication": AUTHENTICATION, "moves": "moves", **options}
    service = FakeService(
        SERVICE,
        ServiceOptions(str(spool), "bundles", port=port, **given),
        folder=folder / "state",
        broker=broker,
    )
    ended = threading.Event()
    failure: list[BaseException] = []

    def work() -> None:
        try:
            service.run(ended.is_set, 600)
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    until(lambda: service.is_ready or failure)
    try:
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
            if not failure:
                yield Door(service, spool, port, client, ended.set)
    finally:
        ended.set()
        thread.join(60)
    for error in failure:
        raise error
    assert not thread.is_alive()


def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "not true in time"
        time.sleep(0.01)
