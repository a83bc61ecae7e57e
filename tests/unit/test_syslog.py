"""The log in syslog, for which a socket of datagrams stands."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacer_core.observe.logs.formats import Plain
from pacer_core.observe.logs.syslog import Syslog
from tests.support import Site


@pytest.fixture
def place(tmp_path: Path) -> str:
    """The path of a socket."""
    return str(tmp_path / "log")


@pytest.fixture
def receiver(place: str) -> Iterator[socket.socket]:
    """Give what listens there."""
    with listening(place) as there:
        yield there


def listening(place: str) -> socket.socket:
    there = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    there.bind(place)
    there.settimeout(30)
    return there


def say(handler: Syslog, text: str, level: int = logging.INFO, *, error: Exception | None = None) -> None:
    info = None if error is None else (type(error), error, error.__traceback__)
    handler.handle(logging.LogRecord("pacer", level, __file__, 1, text, None, info))


def raised() -> Exception:
    try:
        raise ValueError("no such thing")
    except ValueError as error:
        return error


def test_a_record_has_its_facility_and_severity(receiver: socket.socket, place: str) -> None:
    handler = Syslog(place, "local3")
    levels = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
    for level in levels:
        say(handler, "hello", level)
    local3 = 19 * 8
    expected = [b"<%d>pacer: hello" % (local3 + severity) for severity in (7, 6, 4, 3, 2)]
    assert [receiver.recv(9000) for _ in levels] == expected
    handler.close()


def test_each_line_of_a_traceback_is_a_message_and_marked(receiver: socket.socket, place: str) -> None:
    handler = Syslog(place, "daemon")
    handler.setFormatter(Plain())
    say(handler, "it broke", error=raised())
    first, *more = [receiver.recv(9000) for _ in range(4)]
    assert first.endswith(b"pacer: it broke")
    assert all(one.startswith(b"<30>pacer: \t") for one in more)
    handler.close()


def test_a_host_is_reached_by_datagrams() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.bind(("127.0.0.1", 0))
        there.settimeout(30)
        handler = Syslog(f"127.0.0.1:{there.getsockname()[1]}", "user")
        say(handler, "x" * 20_000)
        assert there.recv(65_000) == (b"<14>pacer: " + b"x" * 20_000)[:8192]
        handler.close()


def test_a_syslog_that_is_started_anew_is_found_again(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    handler = Syslog(place, "daemon")
    say(handler, "nobody is there")
    say(handler, "nor now")
    for text in ("first", "second"):
        there = listening(place)
        say(handler, text)
        assert there.recv(9000).endswith(text.encode())
        there.close()
        Path(place).unlink()
    say(handler, "gone again")
    said = capsys.readouterr().err
    assert said.count(f"the log does not reach syslog at {place}: No such file or directory") == 2
    handler.close()


def test_nobody_waits_for_a_syslog_that_takes_no_more(
    receiver: socket.socket, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = Syslog(place, "daemon")
    for _ in range(2000):
        say(handler, "x" * 1000)
    assert capsys.readouterr().err.count("does not reach syslog") == 1
    receiver.recv(9000)
    say(handler, "room again")
    handler.close()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("facility: local9", "should be one of kern, user"),
        ("address: loghost", "should be a socket such as /dev/log, or HOST:PORT"),
        ("address: 'loghost:0'", "should be a socket such as /dev/log, or HOST:PORT"),
    ],
)
def test_options_that_are_wrong_are_said_with_their_place(site: Site, options: str, said: str) -> None:
    text = f"""
        brokers: {{main: {{host: localhost}}}}
        queues: [{{name: inbox}}]
        logging: {{syslog: {{enabled: true, {options}}}}}
    """
    ran = site.pacer("config", "check", "-c", site.write(text))
    assert ran.code == 1
    assert said in ran.out


def test_a_run_tells_syslog_what_it_does(
    site: Site, tmp_path: Path, receiver: socket.socket, place: str
) -> None:
    file = site.write(f"""
        brokers: {{main: {{protocol: memory}}}}
        queues: [{{name: inbox}}]
        consumers: [{{type: forward, queues: [inbox]}}]
        logging:
          console: {{enabled: false}}
          syslog: {{enabled: true, address: {place}, facility: local0}}
        processes: {{stateFolder: {tmp_path / "state"}}}
        health: {{enabled: false}}
    """)
    assert site.pacer("run", "--once", "-c", file).code == 0
    told = receiver.recv(9000)
    assert told.startswith(b"<134>pacer: ")
    assert told.endswith(b"pacer.worker: reading inbox")
