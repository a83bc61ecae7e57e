"""Bombs and traps in files and bodies: they end in words, soon, and reach nothing outside."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from attrs import frozen

from pacer_core import ConsumerType, Outcome, Text
from pacer_core.config import check
from pacer_core.testing import deliver
from tests.support import Site


@frozen
class Scan:
    name: Text


SCANS = ConsumerType(name="scans", message=Scan, tasks=[])
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(12)
)


@pytest.fixture
def port() -> Iterator[tuple[int, socket.socket]]:
    """Listen, and answer nobody."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.settimeout(0)
        yield server.getsockname()[1], server


def called(server: socket.socket) -> bool:
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return False
    return True


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS,
        "&a [*a, *a]",
        "a: &a {b: *a}",
        "[" * 20_000,
        "{a: " * 50_000,
        "? " * 20_000,
        "- " * 20_000,
        "a: " + "9" * 200_000,
        "a: !!python/object/apply:os.system [touch owned]",
        "a: !!python/object/new:subprocess.Popen [[touch, owned]]",
        "a: !!python/name:os.system ''",
        "!<tag:yaml.org,2002:python/module:os> x",
        "a: !!binary " + "A" * 100_000,
        "%TAG ! tag:yaml.org,2002:python/\n--- !object/apply:os.system [touch owned]",
    ],
    ids=range(14),
)
def test_a_configuration_that_is_a_bomb_or_a_program_is_an_error_and_runs_nothing(
    site: Site, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(site.folder)
    began = time.process_time()
    config, problems = check(site.write(text))
    assert config is None
    assert problems
    assert max(len(str(one)) for one in problems) < 2_000
    # Not how fast, but that it is not exponential: the laughs stand for 10^13 texts.
    assert time.process_time() - began < 60
    assert not Path("owned").exists()


@pytest.mark.parametrize(
    "body",
    [
        '<!DOCTYPE s SYSTEM "http://127.0.0.1:{port}/s.dtd"><scan><name>a</name></scan>',
        '<!DOCTYPE s [<!ENTITY a SYSTEM "http://127.0.0.1:{port}/a">]><scan><name>&a;</name></scan>',
        '<!DOCTYPE s [<!ENTITY % a SYSTEM "http://127.0.0.1:{port}/a">%a;]><scan><name>x</name></scan>',
        '<?xml-stylesheet href="http://127.0.0.1:{port}/s.xsl" type="text/xsl"?><scan><name>a</name></scan>',
        '<x xmlns:i="http://www.w3.org/2001/XInclude"><i:include href="http://127.0.0.1:{port}/"/></x>',
        '<s xmlns:x="http://www.w3.org/2001/XMLSchema-instance" x:schemaLocation="u http://127.0.0.1:{port}/"/>',
        '{{"$ref": "http://127.0.0.1:{port}/", "name": "http://127.0.0.1:{port}/"}}',
        '{{"@context": "http://127.0.0.1:{port}/", "name": "a"}}',
    ],
)
def test_no_url_in_a_body_is_asked_for(body: str, port: tuple[int, socket.socket]) -> None:
    number, server = port
    delivery = deliver(SCANS, body.format(port=number))
    assert delivery.outcome in (Outcome.ACKED, Outcome.DEAD)
    assert [one.kind for one in delivery.failures] in ([], ["reject"])
    assert not called(server)
    delivery = deliver(SCANS, f'{{"name": "http://127.0.0.1:{number}/"}}')
    assert delivery.outcome is Outcome.ACKED
    assert not called(server)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000_000,
        b'{"name":' * 300_000,
        b'{"name": ' + b"9" * 1_000_000 + b"}",
        b'{"name": 1e' + b"9" * 10_000 + b"}",
        b"<a>" * 300_000,
        b"<scan " + b" ".join(b'a%d="1"' % n for n in range(100_000)) + b"><name>a</name></scan>",
        b'{"name": "' + b"\\ud800" * 10_000 + b'"}',
        b'{"name": "a", ' + b", ".join(b'"k%d": 1' % n for n in range(100_000)) + b"}",
    ],
    ids=["brackets", "objects", "digits", "exponent", "elements", "attributes", "surrogates", "keys"],
)
def test_a_body_that_is_a_bomb_is_dead_or_done_and_nothing_else(body: bytes) -> None:
    delivery = deliver(SCANS, body)
    assert [one.kind for one in delivery.failures] in ([], ["reject"])
    assert all(len(one.reason) < 2_000 for one in delivery.failures)
