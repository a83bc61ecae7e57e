"""Letters that somebody has made to be in the way, read and shown without a broker."""

from __future__ import annotations

import io
import json
from struct import pack
from typing import Any

import pytest
from rich.console import Console

from pacer_core.cli.letter_tally import Tally
from pacer_core.cli.letter_text import show, show_table
from pacer_core.model.json_output import dumps
from pacer_core.transport.amqp.deliveries import Contents, named
from pacer_core.transport.amqp.properties import property_list
from pacer_core.transport.amqp.undecodable import read_properties
from pacer_core.transport.letter_json import summary, whole
from pacer_core.transport.letter_reading import read_letter, read_waiting
from pacer_core.transport.letter_replay import hastened, replayed
from pacer_core.transport.letters import DeadLetter
from tests.letters import HOSTILE, ONLY_EMBEDDED

PLACES = pytest.mark.parametrize(
    ("read", "queue"), [(read_letter, "samples.dead"), (read_waiting, "pacer.retry.3600s")]
)
ALL = HOSTILE | ONLY_EMBEDDED


def contents(headers: bytes, body: bytes) -> Contents:
    """Give a message as the client library does."""
    properties = read_properties(pack(">H", 0x2000) + headers)
    given = named(properties.pop("application_headers", None) or {})
    return Contents(1, body, {"exchange": "", "routing_key": "samples"}, properties, given)


@PLACES
@pytest.mark.parametrize("name", ALL)
def test_any_letter_can_be_listed_shown_written_and_sent_on(read: Any, queue: str, name: str) -> None:
    letter: DeadLetter = read(contents(ALL[name], name.encode()), queue)
    assert letter.origin != "unreadable"
    assert letter.id == read(contents(ALL[name], name.encode()), queue).id
    for console in (Console(file=io.StringIO(), width=width) for width in (60, 1 << 16)):
        show_table(console, [letter])
        show(console, letter, body=True)
        tally = Tally()
        tally.add(letter)
        tally.show(console, "one")
        assert isinstance(console.file, io.StringIO)
        assert letter.id in console.file.getvalue()
        assert all(line.isprintable() for line in console.file.getvalue().split("\n"))
    for data in (summary(letter), whole(letter), tally.as_json()):
        for indent in (False, True):
            written = dumps(data, indent=indent).decode()
            assert isinstance(json.loads(written), dict)
            assert all(line.isprintable() for line in written.split("\n"))
    for copy in (replayed(letter.envelope), replayed(letter.envelope, pending_only=True), hastened(letter)):
        property_list(copy.properties, copy.headers)


@PLACES
def test_a_letter_that_cannot_be_read_says_so(read: Any, queue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    message = contents(HOSTILE["a thousand lists"], b"body")

    def broken(*_: object) -> None:
        raise RecursionError("what nobody has thought of")

    monkeypatch.setattr("pacer_core.transport.letter_reading.read_envelope", broken)
    letter: DeadLetter = read(message, queue)
    assert (letter.origin, letter.envelope.body, letter.size) == ("unreadable", b"body", 4)
    assert letter.error == "its headers cannot be read (RecursionError)"
    assert letter.doubt
    console = Console(file=io.StringIO(), width=200)
    show_table(console, [letter])
    show(console, letter, body=True)
    dumps(whole(letter))
