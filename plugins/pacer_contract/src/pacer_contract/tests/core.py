"""What the core's own loop calls beyond what kombu does: the socket, what is ready, many acknowledgements."""

from __future__ import annotations

import select
import threading
from queue import SimpleQueue
from typing import Any

from pacer_contract.broker import Broker, Inbox, declare, get, send


def test_a_loop_on_the_connections_socket_misses_nothing(broker: Broker) -> None:
    many = broker.some(1000)
    channel = broker.channel(prefetch=10)
    declare(channel)
    connection, finished = channel.connection, SimpleQueue[int | None]()
    got: list[int] = []

    def settle() -> None:
        while (tag := finished.get()) is not None:
            channel.ack_all([(tag, False)])

    settler = threading.Thread(target=settle)
    settler.start()
    sender = threading.Thread(target=send, args=(broker.channel(), *range(many)))
    sender.start()

    def handle(message: Any) -> None:
        got.append(int(message.body))
        finished.put(message.delivery_tag)

    channel.basic_consume("q", callback=handle)
    while len(got) < many:
        if not connection.ready():
            readable, _, _ = select.select([connection.sock], [], [], 20)
            assert readable, f"nothing to read after {len(got)} messages"
        assert connection.drain_ready(7) <= 7
    finished.put(None)
    for thread in (sender, settler):
        thread.join()

    assert broker.as_sent(got) == list(range(many))


def test_the_connections_socket_tells_of_a_delay_that_is_over(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)
    declare(channel, "later", x_message_ttl=150, x_dead_letter_exchange="", x_dead_letter_routing_key="q")
    inbox = Inbox(channel)
    connection = channel.connection
    connection.drain_ready(10)

    send(broker.channel(), "one", to="later")
    while not inbox.messages:
        assert connection.ready() or select.select([connection.sock], [], [], 20)[0]
        connection.drain_ready(10)

    assert inbox.bodies == ["one"]


def test_many_acknowledgements_are_one(broker: Broker) -> None:
    channel = broker.channel(prefetch=6)
    declare(channel)
    send(channel, *range(6))
    messages = Inbox(channel).wait(6)

    channel.ack_all([(3, True), (5, False)])
    left = [messages[3].body, messages[5].body]
    channel.close()

    other = broker.channel()
    assert broker.as_sent(get(other).body for _ in range(2)) == broker.as_sent(left)
