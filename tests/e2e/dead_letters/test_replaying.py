"""Dead letters are sent again: as new messages, or with what is pending alone, wherever they came from."""

from __future__ import annotations

from collections import Counter
from contextlib import closing

from pacer_core import Outcome
from pacer_core.transport.connection import connect
from pacer_core.transport.outgoing import Outgoing
from pacer_core.work.worker import Worker
from tests.e2e.dead_letters.facility import Facility
from tests.support import eventually


def test_replay_runs_everything_again_as_if_the_message_were_new(facility: Facility) -> None:
    facility.publisher.publish([Outgoing("user-office", "sample.new", b'{"name": "a"}', {"site": "alba"},
                                         {"correlation_id": "c-9"})])  # fmt: skip
    assert run(facility) == {Outcome.DEAD: 1}
    (facility.site.folder / "sample_pacer" / "mended").touch()
    done = facility.pacer("dead", "replay", "--yes", "--all")
    assert (done.code, "1 of 1 letter replayed" in done.out) == (0, True)
    assert run(facility) == {Outcome.ACKED: 1}
    assert ran(facility) == [
        "register c-9 1 0 []", "store c-9 1 0 ['number']",
        "register c-9 1 0 []", "store c-9 1 0 ['number']",
    ]  # fmt: skip


def test_replay_of_what_is_pending_keeps_what_is_done_and_its_facts(facility: Facility) -> None:
    facility.publisher.publish([Outgoing("user-office", "sample.new", b'{"name": "a"}',
                                         properties={"correlation_id": "c-9"})])  # fmt: skip
    run(facility)
    (facility.site.folder / "sample_pacer" / "mended").touch()
    assert facility.pacer("dead", "replay", "--yes", "--pending-only", "--correlation-id", "c-9").code == 0
    assert run(facility) == {Outcome.ACKED: 1}
    assert ran(facility)[2:] == ["store c-9 1 0 ['number']"]


def test_a_replayed_copy_is_the_message_and_nothing_of_its_first_life(facility: Facility) -> None:
    body = b'\xef\xbb\xbf{"name": "\xc3\xa9"}\r\n'
    facility.die(1, body=body)
    facility.ids()  # so that the broker counts a return
    facility.pacer("dead", "replay", "--yes", "--all")
    (copy,) = facility.taken()
    assert copy.body == body
    assert len(copy.headers.pop("x-pacer-signature")) == 44  # type: ignore[attr-defined]  # a dictionary
    assert copy.headers == {
        "beamline": "bl06",
        "x-pacer-version": 1,
        "x-pacer-correlation-id": "c-1",
        "x-pacer-exchange": "user-office",
        "x-pacer-routing-key": "sample.new",
    }
    assert copy.properties == {"content_type": "application/json", "delivery_mode": 2}


def test_a_letter_of_the_broker_s_own_is_explained_and_goes_back_where_it_came_from(
    facility: Facility,
) -> None:
    facility.publisher.publish([Outgoing("user-office", "parcel", b"{}", {"site": "alba"},
                                         {"message_id": "m-7"})])  # fmt: skip
    reject_all(facility, "parcels")
    eventually(lambda: facility.depth("parcels.dead") == 1)
    (one,) = facility.letters("parcels.dead")
    assert (one.origin, one.consumer, one.envelope.queue) == ("broker", "", "parcels")
    assert one.error == "dead-lettered by the broker: rejected"
    assert (one.envelope.exchange, one.envelope.routing_key) == ("user-office", "parcel")
    assert one.dead_at is not None
    assert one.id == facility.letters("parcels.dead")[0].id
    assert facility.pacer("dead", "replay", "--yes", one.id).code == 0
    (copy,) = facility.taken("parcels")
    assert copy.headers["x-pacer-exchange"] == "user-office"
    assert "x-death" not in copy.headers
    assert copy.headers["site"] == "alba"
    assert copy.properties["message_id"] == "m-7"


def test_a_letter_that_somebody_else_put_there_goes_to_the_queue_whose_dead_queue_it_is(
    facility: Facility,
) -> None:
    facility.put("samples.dead", b"whatever", content_type="text/plain")
    (one,) = facility.letters()
    assert (one.origin, one.envelope.correlation_id, one.dead_at) == ("foreign", "", None)
    assert facility.letters()[0].id == one.id
    assert facility.pacer("dead", "discard", "--yes", "--older-than", "1s").code == 1
    assert facility.depth("samples.dead") == 1  # when it died is not known
    assert facility.pacer("dead", "replay", "--yes", "--all").code == 0
    assert [copy.body for copy in facility.taken()] == [b"whatever"]


def run(facility: Facility) -> Counter[Outcome]:
    return Worker(facility.config, facility.config.consumers).run(once=True)


def ran(facility: Facility) -> list[str]:
    return (facility.site.folder / "sample_pacer" / "ran").read_text().splitlines()


def reject_all(facility: Facility, queue: str) -> None:
    """Let the broker dead-letter what is in a queue."""
    with closing(connect(facility.config.broker, "test")) as connection:
        channel = connection.channel()
        channel.basic_consume(
            queue=queue, callback=lambda one: channel.basic_reject(one.delivery_tag, requeue=False)
        )
        connection.drain_events(timeout=5)
        channel.close()
