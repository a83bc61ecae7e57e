"""Clients of the health endpoint that hold on to it: whoever asks is answered all the same."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from pacer_core.observe.health import listening
from pacer_core.observe.health.listening import MOST, Server


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A server that says ``well``, and has less patience than usual."""
    monkeypatch.setattr(listening, "_PATIENCE", 0.5)
    server = Server(("127.0.0.1", 0), lambda path, accept: (200, "text/plain", b"well"))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def answers(port: int, path: str = "/livez", **headers: str) -> int:
    """Ask, and give the status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def is_cut(connection: socket.socket) -> bool:
    """Wait until the server has ended a connection."""
    connection.settimeout(20)
    try:
        while connection.recv(4096):
            pass
    except ConnectionError:
        pass
    return True


def test_many_who_say_nothing_keep_nobody_from_an_answer(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "_PATIENCE", 3600.0)
    before = threading.active_count()
    with ExitStack() as stack:
        idle = []
        for _ in range(4 * MOST):
            idle.append(stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20)))
            idle[-1].sendall(b"GET /livez HTTP/1.1\r\nHost:")
            assert len(idle) % 50 or answers(port) == 200
        assert answers(port) == 200
        assert all(is_cut(one) for one in idle[: 2 * MOST])
        assert threading.active_count() - before <= MOST + 10


def test_who_sends_a_byte_now_and_then_is_cut(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as slow:
        slow.sendall(b"GET /livez HTTP/1.1\r\nX: ")
        with pytest.raises(ConnectionError):  # noqa: PT012 - it takes a while
            while True:
                slow.sendall(b"x")
                time.sleep(0.02)
        assert answers(port) == 200


@pytest.mark.parametrize(
    "flood", [b"GET /" + b"x" * 200_000, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 90 + b"Z: " + b"z" * 60_000]
)
def test_a_request_without_end_is_refused_before_it_is_all_read(port: int, flood: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as long:
        try:
            long.sendall(flood)
            status = long.recv(20)
        except ConnectionError:  # cut while there was more to say
            status = b"HTTP/1.0 4"
        assert status.startswith(b"HTTP/1.0 4")
    assert answers(port) == 200


def test_who_does_not_read_the_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "_PATIENCE", 0.5)
    server = Server(("127.0.0.1", 0), lambda path, accept: (200, "text/plain", b"x" * 50_000_000))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        with socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=20) as deaf:
            deaf.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            time.sleep(1.0)
            read = 0
            try:
                while block := deaf.recv(1 << 20):
                    read += len(block)
            except ConnectionError:
                pass
            assert read < 50_000_000
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_request_of_usual_length_is_answered(port: int) -> None:
    assert answers(port, "/livez?" + "x" * 4000, Accept="text/plain", Cookie="c" * 4000) == 200
