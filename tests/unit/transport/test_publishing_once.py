"""What is published for messages that may be somebody else's by now: once, or not at all."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest

from pacer_core.config.model import Broker
from pacer_core.transport import publish
from pacer_core.transport.consume import Subscription
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher


class Link:
    """Its connection is cut when the broker has the first message, which nobody learns."""

    sent: ClassVar[list[bytes]] = []
    nacked = False

    def __init__(self, _: Broker) -> None:
        pass

    def together(self, waiting: Mapping[int, Outgoing], _: Any) -> list[int]:
        return list(waiting)

    def publish(self, group: Sequence[int], waiting: dict[int, Outgoing], _: Any) -> None:
        Link.sent += [waiting[number].body for number in group]
        if len(Link.sent) == 1:
            raise ConnectionResetError("cut")
        waiting.clear()

    def close(self) -> None:
        pass


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Publisher:
    Link.sent = []
    monkeypatch.setattr(publish, "Link", Link)
    return Publisher(Broker())


def test_a_connection_that_is_cut_is_opened_anew_once(publisher: Publisher) -> None:
    assert publisher.publish_each([Outgoing("", "q", b"a")]) == [None]
    assert Link.sent == [b"a", b"a"]


def test_what_may_be_published_by_the_next_intake_is_not_sent_a_second_time(publisher: Publisher) -> None:
    (said,) = publisher.publish_each([Outgoing("", "q", b"a")], lambda: True)
    assert said is not None
    assert Link.sent == [b"a"]


def test_what_is_lost_by_the_time_that_the_connection_is_open_is_not_sent(publisher: Publisher) -> None:
    (said,) = publisher.publish_each([Outgoing("", "q", b"a")], lambda: False)
    assert "no longer in hand" in str(said)
    assert Link.sent == []


def test_a_subscription_asks_its_connection_whether_its_lease_is_over() -> None:
    class Connection:
        held = True

        def __init__(self, sock: socket.socket) -> None:
            self.connection, self.sock = self, sock

        def channel(self) -> Any:
            return self

        def basic_qos(self, *_: Any) -> None:
            pass

        def holds(self) -> bool:
            return self.held

    with socket.socket() as sock:
        connection = Connection(sock)
        subscription = Subscription(connection, [], 50, lambda received: None)
        assert subscription.holds()
        connection.held = False
        assert not subscription.holds()
        connection.held = True
        subscription.abandon()
        assert not subscription.holds()
