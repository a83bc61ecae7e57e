"""The vendor's own mock of ICAT+, in a process of its own, behind a proxy of ours that counts."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from pacer_http.testing import Reply, Request
from tests.services.base import free_port, wait_until

SERVER = "pyicat_plus_pytest_plugin.servers.icatplus_server"
START_SECONDS = 60


@contextmanager
def vendor_mock(log: Path) -> Iterator[int]:
    """Run ``pyicat-plus``'s ICAT+ server; give its port. What it prints goes to ``log``."""
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", SERVER, "--port", str(port)]
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_until(answers, seconds=START_SECONDS, what="the vendor's mock")
        yield port
    finally:
        process.kill()
        process.wait()


class Proxy:
    """Hands requests on to a server; what a `pacer_http.testing.StandIn` wants."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.stored: list[tuple[bytes, str]] = []
        """What the server has taken: the body of each upload, and the id that it gave."""

    def answer(self, request: Request) -> Reply:
        """Hand a request on, and its answer back."""
        connection = http.client.HTTPConnection("localhost", self._port, timeout=START_SECONDS)
        headers = {name: request.headers[name] for name in ("content-type",) if name in request.headers}
        connection.request(
            request.method, f"{request.path}?{urlencode(request.query)}", body=request.body, headers=headers
        )
        response = connection.getresponse()
        body = response.read()
        connection.close()
        if request.method == "POST" and response.status == 200:
            self.stored.append((request.body, json.loads(body)["_id"]))
        return Reply(
            body, response.status, {"Content-Type": response.headers.get("content-type", "text/plain")}
        )
