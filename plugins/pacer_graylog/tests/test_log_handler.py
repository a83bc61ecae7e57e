"""The log in Graylog, for which sockets stand that read as its inputs do: datagrams, zero bytes, requests."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pacer_graylog import GraylogHandler, GraylogOptions, ways
from plugins.pacer_graylog.tests.test_gelf import together
from tests.services.base import free_port
from tests.support import Site, eventually


class Line(logging.Formatter):
    """One JSON object a line, as the core's."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps({"message": record.getMessage(), "log.level": record.levelname.lower()})


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GraylogHandler, "BACKOFF", (0.02,))


Make = Callable[..., GraylogHandler]


@pytest.fixture
def make() -> Iterator[Make]:
    """Make the handler of a process."""
    made: list[GraylogHandler] = []

    def make(url: str, **options: Any) -> GraylogHandler:
        one = GraylogHandler(GraylogOptions(url=url, timeout=timedelta(seconds=20), **options))
        one.setFormatter(Line())
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()


def say(to: GraylogHandler, *messages: str) -> None:
    for text in messages:
        to.handle(logging.LogRecord("pacer", logging.INFO, __file__, 1, text, None, None))


@pytest.fixture
def datagrams() -> Iterator[socket.socket]:
    """Give what receives datagrams."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(30)
        yield receiver


def url_of(receiver: socket.socket, scheme: str = "udp") -> str:
    return f"{scheme}://127.0.0.1:{receiver.getsockname()[1]}"


def test_a_record_is_one_compressed_datagram(datagrams: socket.socket, make: Make) -> None:
    say(make(url_of(datagrams), environment="test"), "hello")
    found = json.loads(gzip.decompress(datagrams.recv(65_000)))
    assert (found["short_message"], found["_service_environment"]) == ("hello", "test")


def test_a_long_record_comes_in_chunks(datagrams: socket.socket, make: Make) -> None:
    text = "".join(f"{number} " for number in range(2000))
    say(make(url_of(datagrams), chunk_size=500, compress=False), text)
    first = datagrams.recv(65_000)
    parts = [first, *(datagrams.recv(65_000) for _ in range(first[11] - 1))]
    assert all(len(one) <= 500 for one in parts)
    assert json.loads(together(parts))["full_message"] == text


def test_a_record_that_no_datagrams_can_hold_is_cut_and_says_so(datagrams: socket.socket, make: Make) -> None:
    say(make(url_of(datagrams), chunk_size=1000, compress=False), "x" * 300_000, "next")
    first = datagrams.recv(65_000)
    parts = [first, *(datagrams.recv(65_000) for _ in range(first[11] - 1))]
    found = json.loads(together(parts))
    assert (found["_pacer_cut"], found["full_message"]) == (1, "x" * 8000)
    assert json.loads(datagrams.recv(65_000))["short_message"] == "next"


def test_a_record_of_too_many_fields_for_any_datagrams_arrives_as_its_first_line(
    datagrams: socket.socket, make: Make
) -> None:
    sender = make(url_of(datagrams), chunk_size=100, compress=False)
    sender.setFormatter(Wide())
    say(sender, "hello")
    first = datagrams.recv(65_000)
    parts = [first, *(datagrams.recv(65_000) for _ in range(first[11] - 1))]
    found = json.loads(together(parts))
    assert (found["_pacer_cut"], found["short_message"]) == (1, "hello")


class Wide(logging.Formatter):
    """Records of many long fields."""

    def format(self, record: logging.LogRecord) -> str:
        more = {f"{number}{'n' * 900}": "x" * 9000 for number in range(50)}
        return json.dumps({"message": record.getMessage(), **more})


class Listener:
    """A GELF input over TCP: messages end with a zero byte."""

    def __init__(self, port: int = 0, context: ssl.SSLContext | None = None) -> None:
        self.got: list[str] = []
        self.connections: list[socket.socket] = []
        self._socket = socket.create_server(("127.0.0.1", port))
        self._context = context
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
                if self._context is not None:
                    connection = self._context.wrap_socket(connection, server_side=True)
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._read, args=[connection], daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        held = b""
        while True:
            try:
                more = connection.recv(65_536)
            except OSError:
                return
            if not more:
                return
            *whole, held = (held + more).split(b"\0")
            self.got += [str(json.loads(one)["short_message"]) for one in whole]

    def hang_up(self) -> None:
        """Close every connection, as a restart does."""
        for one in self.connections:
            one.shutdown(socket.SHUT_RDWR)
            one.close()
        self.connections.clear()

    def close(self) -> None:
        """Listen no more."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.hang_up()


def test_records_go_through_one_connection_and_end_with_a_zero_byte(make: Make) -> None:
    listener = Listener()
    say(make(f"tcp://127.0.0.1:{listener.port}"), *(f"record {number}" for number in range(500)))
    eventually(lambda: len(listener.got) == 500)
    assert listener.got == [f"record {number}" for number in range(500)]
    assert len(listener.connections) == 1
    listener.close()


def test_a_connection_that_graylog_has_closed_is_opened_anew_before_anything_is_lost(make: Make) -> None:
    listener = Listener()
    sender = make(f"tcp://127.0.0.1:{listener.port}")
    for number in range(3):
        say(sender, f"record {number}")
        eventually(partial(has, listener, number + 1))
        listener.hang_up()
    assert listener.got == ["record 0", "record 1", "record 2"]
    listener.close()


def test_tls_records_go_through_one_connection_whatever_tickets_graylog_sends(
    make: Make, tmp_path: Path
) -> None:
    certificate, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = Listener(context=context)
    sender = make(f"tls://127.0.0.1:{listener.port}", ca_file=str(certificate))
    for number in range(5):
        say(sender, f"record {number}")
        eventually(partial(has, listener, number + 1))
    assert len(listener.connections) == 1
    listener.close()


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for this host and its key."""
    certificate, key = folder / "server.crt", folder / "server.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


def has(listener: Listener, count: int) -> bool:
    return len(listener.got) == count


def test_records_wait_for_a_graylog_that_is_away_and_what_is_dropped_is_told(
    make: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GraylogHandler, "MOST", 5)
    port = free_port()
    sender = make(f"tcp://127.0.0.1:{port}")
    say(sender, *(f"record {number}" for number in range(8)))
    assert sender.dropped == 3
    said = ""

    def was_refused() -> bool:
        nonlocal said
        said += capsys.readouterr().err
        return "the log does not reach Graylog" in said

    eventually(was_refused)
    listener = Listener(port)
    eventually(lambda: len(listener.got) == 6)
    assert listener.got[:5] == [f"record {number}" for number in range(5)]
    assert listener.got[5].startswith("3 records of the log were dropped")
    sender.close()
    said += capsys.readouterr().err
    assert "the log does not reach Graylog; it tries on: Connection refused" in said
    assert "the log reaches Graylog again" in said
    assert "were not sent" not in said
    listener.close()


def test_what_is_dropped_since_too_much_came_at_once_is_told_as_well(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GraylogHandler, "MOST_BYTES", 0)
    listener = Listener()
    sender = make(f"tcp://127.0.0.1:{listener.port}")
    say(sender, "too much")
    monkeypatch.undo()
    say(sender, "and on")
    eventually(lambda: len(listener.got) == 2)
    assert listener.got[0] == "and on"
    assert listener.got[1].startswith("1 records of the log were dropped")
    listener.close()


def test_what_is_left_at_the_end_is_said(
    make: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GraylogHandler, "GOODBYE", 0.2)
    sender = make(f"tcp://127.0.0.1:{free_port()}")
    say(sender, "one", "two")
    sender.close()
    assert "2 records of the log were not sent to Graylog" in capsys.readouterr().err


class Http:
    """A GELF input over HTTP."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str, str | None]] = []
        self.statuses: list[int] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = outer.statuses.pop(0) if outer.statuses else 202
                if status == 202:
                    text = str(json.loads(body)["short_message"])
                    outer.got.append((self.path, text, self.headers["Authorization"]))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def http() -> Iterator[Http]:
    """Give such an input."""
    there = Http()
    yield there
    there.server.shutdown()
    there.server.server_close()


def test_records_are_posted_and_tried_again_where_graylog_does_not_take_them(
    make: Make, http: Http, capsys: pytest.CaptureFixture[str]
) -> None:
    http.statuses = [503, 503]
    say(make(http.url), "one", "two")
    eventually(lambda: len(http.got) == 2)
    assert http.got == [("/gelf", "one", None), ("/gelf", "two", None)]
    assert capsys.readouterr().err.count("the log does not reach Graylog; it tries on: ") == 1


@pytest.mark.parametrize("status", [400, 413])
def test_a_record_that_graylog_refuses_holds_up_no_other_and_is_told(
    make: Make, http: Http, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    http.statuses = [status]
    say(make(http.url), "bad", "good")
    eventually(lambda: len(http.got) == 2)
    assert [text for _, text, _ in http.got] == ["good", http.got[1][1]]
    assert http.got[1][1].startswith("1 records of the log were dropped")
    assert "Graylog refuses records of the log: " in capsys.readouterr().err


def test_an_error_that_nobody_expects_does_not_end_the_log(
    make: Make, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = make(http.url)
    send, failures = ways.Http.send, [ValueError("odd")]

    def odd(self: ways.Http, payload: bytes) -> None:
        if failures:
            raise failures.pop()
        send(self, payload)

    monkeypatch.setattr(ways.Http, "send", odd)
    say(sender, "one", "two")
    eventually(lambda: len(http.got) == 2)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("{}", "'url' is missing"),
        ("{url: 'graylog:12201'}", "should be such as udp://graylog.example.org:12201"),
        ("{url: 'gelf://graylog'}", "should be such as udp://graylog.example.org:12201"),
        ("{url: 'http://me:secret@graylog'}", "should have no account in it"),
        ("{url: 'udp://graylog', chunkSize: 20}", "'chunkSize' is not accepted"),
    ],
)
def test_options_that_are_wrong_are_said_with_their_place(site: Site, options: str, said: str) -> None:
    text = f"""
        brokers: {{main: {{host: localhost}}}}
        queues: [{{name: inbox}}]
        logging: {{graylog: {options}}}
    """
    ran = site.pacer("config", "check", "-c", site.write(text))
    assert ran.code == 1
    assert said in ran.out


def test_a_run_of_pacer_tells_graylog_what_it_does(
    site: Site, tmp_path: Path, datagrams: socket.socket
) -> None:
    file = site.write(f"""
        brokers: {{main: {{protocol: memory}}}}
        queues: [{{name: inbox}}]
        consumers: [{{type: forward, queues: [inbox]}}]
        logging:
          console: {{enabled: false}}
          graylog: {{url: "{url_of(datagrams)}", facility: ingest}}
        processes: {{stateFolder: {tmp_path / "state"}}}
        health: {{enabled: false}}
    """)
    ran = site.pacer("run", "--once", "-c", file)
    assert ran.code == 0, ran.both
    told = json.loads(gzip.decompress(datagrams.recv(65_000)))
    assert told["short_message"] == "reading inbox"
    assert (told["_facility"], told["_log_logger"], told["level"]) == ("ingest", "pacer.worker", 6)
