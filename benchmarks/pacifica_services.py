"""Pacifica's four services as stand-ins that cost next to nothing: a process of their own serves them.

    python -m benchmarks.pacifica_services

The rules are those that the tests have, `pacer_pacifica.testing.rules`, without what the archive would hold.
They are served by the loop and the parser of uvicorn: a file takes 0.06 ms of CPU so, and 0.11 ms on a
connection of its own; the server that the tests have takes 0.16 ms and 0.55 ms.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import cast
from urllib.parse import parse_qsl

import httptools
import uvloop

from pacer_http.testing import Request
from pacer_pacifica.testing.rules import Rules


class Service(asyncio.Protocol):
    """A connection: requests one after another, each answered once it is whole; httptools calls ``on_``."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        """Forget the request before this one."""
        self._target, self._headers = b"", {}
        self._body.clear()

    def on_url(self, part: bytes) -> None:
        """Take a part of what is asked for."""
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, part: bytes) -> None:
        """Take a part of the body."""
        self._body += part

    def on_message_complete(self) -> None:
        """Answer."""
        target = self._target.decode("latin-1")
        path, _, query = target.partition("?")
        method = self._parser.get_method().decode()
        reply = self._rules.answer(
            Request(method, path, dict(parse_qsl(query)), self._headers, bytes(self._body), target)
        )
        body = reply.body
        more = {"Content-Type": "application/json", **reply.headers, "Content-Length": len(body)}
        lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in more.items()]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        self._transport.write(head if method == "HEAD" else head + body)
        if not self._parser.should_keep_alive():
            self._transport.close()


@contextmanager
def stand_ins() -> Iterator[str]:
    """Start the stand-ins in a process of their own; give their address."""
    command = [sys.executable, "-m", "benchmarks.pacifica_services"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


async def serve() -> None:
    """Serve until the process is ended; the address is the first line of the output."""
    rules = Rules(keep=False)
    server = await asyncio.get_running_loop().create_server(lambda: Service(rules), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
