"""What a subscription acknowledges: each message once, and never one that is still in hand."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacer_core.transport.consume import Subscription


class Channel:
    """Notes what is acknowledged."""

    def __init__(self) -> None:
        self.acks: list[tuple[int, bool]] = []

    def basic_qos(self, *arguments: Any) -> None:
        """Take any prefetch."""

    def ack_all(self, acks: list[tuple[int, bool]]) -> None:
        self.acks += acks


class Connection:
    """Has one channel, and a socket to wait for."""

    def __init__(self, sock: socket.socket) -> None:
        self.connection, self.sock = self, sock
        self.opened = Channel()

    def channel(self) -> Channel:
        return self.opened


@pytest.fixture(scope="module")
def connect() -> Iterator[Any]:
    with socket.socket() as sock:
        yield lambda: Connection(sock)


batches = st.integers(1, 20).flatmap(
    lambda count: st.tuples(
        st.permutations(range(1, count + 1)) | st.just(list(range(1, count + 1))),
        st.lists(st.integers(1, 5), min_size=count, max_size=count),
    )
)


@given(batches)
def test_each_message_is_acknowledged_once_and_none_that_is_in_hand(
    connect: Any, given: tuple[list[int], list[int]]
) -> None:
    order, sizes = given
    connection = connect()
    subscription = Subscription(connection, [], 50, lambda received: None)
    finished: set[int] = set()
    answered: set[int] = set()
    while order:
        size = sizes.pop()
        batch, order = order[:size], order[size:]
        finished.update(batch)
        subscription.ack(batch)
        for tag, all_before in connection.opened.acks:
            meant = set(range(1, tag + 1)) - answered if all_before else {tag}
            assert tag not in answered, "RabbitMQ would close the channel"
            assert meant <= finished
            answered |= meant
        connection.opened.acks.clear()
        assert answered == finished


def test_messages_that_end_as_they_came_are_acknowledged_in_one_go(connect: Any) -> None:
    connection = connect()
    subscription = Subscription(connection, [], 50, lambda received: None)
    subscription.ack([2, 1, 3])
    subscription.ack([4])
    subscription.ack([])
    assert connection.opened.acks == [(3, True), (4, True)]
