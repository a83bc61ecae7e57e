"""Connections that threads share, and the sockets below them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import httpcore
import pytest

from pacer_http import HttpClient
from pacer_http.connections import EXPIRY, IDLE, Connections
from pacer_http.sockets import Stream
from pacer_http.testing import LOST, Reply, StandIn

SOON = timedelta(seconds=20)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Pieces:
    """A server that notes what each look at its socket brings; after so many answers it hangs up."""

    def __init__(self, answers: int) -> None:
        self.seen: list[bytes] = []
        self._answers = answers
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.hung_up = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def _serve(self) -> None:
        while True:
            client, _ = self._socket.accept()
            with client:
                for _ in range(self._answers):
                    self.seen.append(client.recv(65536))
                    client.sendall(ANSWER)
            self.hung_up.set()


def test_head_and_body_of_a_request_come_at_once() -> None:
    server = Pieces(answers=2)
    with HttpClient("x", server.url, timeout=SOON) as http:
        for _ in range(2):
            http.request("POST", "/", json={"a": "b" * 1000})
    assert [one.count(b"\r\n\r\n") for one in server.seen] == [1, 1]
    assert all(one.endswith(b'"}') for one in server.seen)


def test_a_connection_that_was_closed_meanwhile_is_not_used_for_what_must_not_happen_twice() -> None:
    server = Pieces(answers=1)
    with HttpClient("x", server.url, timeout=SOON) as http:
        for _ in range(3):
            server.hung_up.clear()
            assert http.request("POST", "/", json={}).status == 200
            assert server.hung_up.wait(20)


def test_a_connection_whose_answer_was_lost_is_not_used_again() -> None:
    with (
        StandIn(lambda _: Reply({})) as service,
        HttpClient("x", service.url, timeout=SOON, delays=(0,)) as http,
    ):
        service.fail(LOST)
        assert http.request("GET", "/").status == 200
        assert http.request("GET", "/").status == 200
    assert len(service.requests) == 3


@pytest.fixture
def pair() -> Iterator[tuple[Stream, socket.socket]]:
    """A stream, and its other end."""
    ours, theirs = socket.socketpair()
    with closing(theirs), closing(Stream(ours)) as stream:
        yield stream, theirs


def test_what_the_other_side_said_before_it_hung_up_is_read_although_nothing_can_be_sent(
    pair: tuple[Stream, socket.socket],
) -> None:
    stream, theirs = pair
    theirs.sendall(ANSWER)
    theirs.close()
    stream.write(b"POST / HTTP/1.1\r\n", 5)
    assert stream.read(65536, 5) == ANSWER
    assert stream.read(65536, 5) == b""


def test_what_is_large_does_not_wait_and_keeps_its_order(pair: tuple[Stream, socket.socket]) -> None:
    stream, theirs = pair
    stream.write(b"head", 5)
    theirs.settimeout(0)
    with pytest.raises(BlockingIOError):
        theirs.recv(10)
    theirs.settimeout(5)
    thread = threading.Thread(target=stream.write, args=(b"x" * 100_000, 5))
    thread.start()
    found = b""
    while len(found) < 100_004:
        found += theirs.recv(65536)
    thread.join()
    assert found == b"head" + b"x" * 100_000


def test_what_does_not_come_in_time_is_late(pair: tuple[Stream, socket.socket]) -> None:
    stream, _ = pair
    with pytest.raises(httpcore.ReadTimeout):
        stream.read(10, 0.01)


class Fake(httpcore.ConnectionInterface):
    """A connection that answers at once."""

    def __init__(self) -> None:
        self.closed = False
        self.gone = False

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        """Answer."""
        return httpcore.Response(200)

    def close(self) -> None:
        """Note it."""
        self.closed = True

    def is_idle(self) -> bool:
        """Say yes."""
        return True

    def has_expired(self) -> bool:
        """Say whether the other side has gone."""
        return self.gone


REQUEST = httpcore.Request("GET", "http://x/", extensions={"timeout": {"pool": 0.01}})


def used(connections: Connections, number: int) -> None:
    """Have so many requests run at once."""
    if number:
        with connections.answer(REQUEST):
            used(connections, number - 1)


def test_the_connection_that_was_used_last_is_used_next_and_few_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    made: list[Fake] = []

    def make() -> Fake:
        made.append(Fake())
        return made[-1]

    connections = Connections(make)
    used(connections, IDLE + 4)
    assert [one.closed for one in made].count(False) == IDLE
    used(connections, IDLE)
    assert len(made) == IDLE + 4  # no new one
    made[0].gone = True  # given back last, and so the next one
    used(connections, 1)
    assert made[0].closed
    assert [one.closed for one in made].count(False) == IDLE - 1
    now += EXPIRY + 1
    used(connections, 1)
    assert [one.closed for one in made].count(False) == 1
    connections.close()
    assert all(one.closed for one in made)


def test_there_are_never_more_connections_than_a_service_is_to_have() -> None:
    connections = Connections(Fake)
    with pytest.raises(httpcore.PoolTimeout):
        used(connections, 65)
    used(connections, 64)  # every place is free again
