"""A program in which people act, such as the dashboard, does what `pacer send` and `pacer dead` do."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from attrs import evolve

from pacer_core import (
    BrokerAddress,
    BrokerError,
    LetterChoice,
    LettersLeft,
    PacerError,
    Posting,
    Secret,
    broker_by_hand,
)
from pacer_core.transport.outgoing import Outgoing
from tests.e2e.dead_letters.facility import Facility, letter
from tests.services.base import free_port


def test_each_message_is_confirmed_or_the_reason_is_given(facility: Facility) -> None:
    with broker_by_hand(facility.file) as broker:
        said = broker.publish_each(
            [
                Posting("user-office", "sample.new", b"1", {"site": "alba"}, "text/plain", "c-1"),
                Posting("user-office", "nobody.reads.this", b"2"),
                Posting("no-such-exchange", "sample.new", b"3"),
                Posting("", "samples", b"4", correlation_id="c-4"),
            ]
        )
    assert [None if one is None else "no queue" in str(one) or "no exchange" in str(one) for one in said] == [
        None,
        True,
        True,
        None,
    ]
    first, last = facility.taken()
    assert (first.body, first.headers) == (b"1", {"site": "alba"})
    assert first.properties == {
        "content_type": "text/plain",
        "correlation_id": "c-1",
        "delivery_mode": 2,
        "message_id": "c-1",
    }
    assert (last.body, last.properties["correlation_id"]) == (b"4", "c-4")


def test_a_broker_at_an_address_alone_is_published_to_and_has_no_dead_queues(facility: Facility) -> None:
    options = facility.config.broker.options
    address = BrokerAddress(
        host="127.0.0.1",
        port=options.port,
        username="guest",
        password=Secret("guest"),
        v_host=options.v_host,
    )
    with broker_by_hand(address) as broker:
        assert broker.publish_each([Posting("user-office", "sample.new", b"1")]) == [None]
        with pytest.raises(PacerError, match="name the configuration"):
            list(broker.letters(LetterChoice()))
    assert [one.body for one in facility.taken()] == [b"1"]


def test_a_broker_that_is_away_or_has_no_such_virtual_host_is_an_error_of_each_message(
    facility: Facility,
) -> None:
    port = facility.config.broker.options.port
    away = BrokerAddress(host="127.0.0.1", port=free_port())
    elsewhere = BrokerAddress(host="127.0.0.1", port=port, v_host="nowhere")
    for address, why in ((away, "cannot connect"), (elsewhere, "nowhere")):
        with broker_by_hand(address) as broker:
            said = broker.publish_each([Posting("", "samples", b"1"), Posting("", "samples", b"2")])
        assert len(said) == 2
        assert all(isinstance(one, BrokerError) and why in str(one) for one in said), said
    assert facility.taken() == []


def test_letters_are_listed_replayed_and_discarded_as_the_commands_do(facility: Facility) -> None:
    for number in range(4):
        facility.die(number, reason="away" if number % 2 else "the catalogue does not want it")
    now = datetime.now(UTC)
    with broker_by_hand(facility.file) as broker:
        assert broker.consumers["samples"] == ("samples", ("samples",))
        listed = list(broker.letters(LetterChoice(error="away", before=now)))
        assert [one["correlation_id"] for one in listed] == ["c-1", "c-3"]
        shown = broker.letter(LetterChoice(ids=(listed[0]["id"],)))
        assert shown is not None
        assert (shown[0]["about"], shown[1]) == ({"sample": "s-1"}, b'{"name": "a"}')

        one = LetterChoice(error="away", allowed=lambda letter: letter["about"] == {"sample": "s-3"})
        assert broker.replay(one) == LettersLeft(1)
        assert broker.discard(LetterChoice(correlation_id="c-1")) == LettersLeft(1)
        assert broker.replay(LetterChoice(), to="parcels", stop=lambda: True) == LettersLeft(0)
        with pytest.raises(PacerError, match=r"no queue 'nowhere'.*samples, parcels"):
            broker.replay(LetterChoice(), to="nowhere")
    assert [one.headers["x-pacer-correlation-id"] for one in facility.taken()] == ["c-3"]
    assert facility.ids() == ["c-0", "c-2"]


def test_a_letter_of_unknown_origin_stays_and_says_so(facility: Facility) -> None:
    facility.die(1)
    facility.die(2)
    facility.publisher.publish([_claiming("parcels")])
    with broker_by_hand(facility.file) as broker:
        said = broker.replay(LetterChoice())
    assert said.done == 2
    assert list(said.left.values()) == [1]
    assert facility.ids() == ["c-9"]


def _claiming(queue: str) -> Outgoing:
    """Give a letter that names a queue that its consumer does not read, as a publisher may."""
    copy = letter(9)
    return evolve(copy, headers={**copy.headers, "x-pacer-queue": queue})
