from __future__ import annotations

import threading
import zlib
from datetime import datetime
from typing import Any

import pytest
from amqp import Message
from amqp.exceptions import PreconditionFailed

from pacer_contract.broker import Broker, Inbox, count, declare, drain, eventually, get, send, wait_for


def test_messages_come_in_the_order_in_which_they_were_sent(broker: Broker) -> None:
    broker.needs("order")
    channel = broker.channel()
    declare(channel)
    send(channel, *range(200))

    inbox = Inbox(channel)

    inbox.wait(200)
    assert inbox.bodies == [str(number) for number in range(200)]


def test_an_acknowledged_message_is_gone_and_another_one_is_not(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)
    send(channel, "one", "two")

    first, second = get(channel), get(channel)
    channel.basic_ack(first.delivery_tag)
    channel.close()

    other = broker.channel()
    assert get(other).body == second.body
    assert other.basic_get("q") is None


def test_one_acknowledgement_ends_all_messages_up_to_it(broker: Broker) -> None:
    channel = broker.channel(prefetch=10)
    declare(channel)
    send(channel, "one", "two", "three")
    messages = Inbox(channel).wait(3)

    channel.basic_ack(messages[1].delivery_tag, multiple=True)
    left = messages[2].body
    channel.close()

    other = broker.channel()
    assert get(other).body == left
    assert other.basic_get("q") is None


def test_a_consumer_without_acknowledgements_ends_messages_by_getting_them(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)
    send(channel, "one")

    Inbox(channel, no_ack=True).wait(1)
    channel.close()

    other = broker.channel()
    assert other.basic_get("q") is None


def test_an_acknowledgement_from_another_thread_lets_the_next_message_come(broker: Broker) -> None:
    channel = broker.channel(prefetch=1)
    declare(channel)
    send(channel, *range(20))
    bodies: list[bytes] = []
    threads = []

    def handle(message: Any) -> None:
        bodies.append(message.body)
        threads.append(threading.Thread(target=channel.basic_ack, args=(message.delivery_tag,)))
        threads[-1].start()

    channel.basic_consume("q", callback=handle)
    wait_for(channel, lambda: len(bodies) == 20)
    for thread in threads:
        thread.join()

    assert broker.as_sent(bodies) == [str(number).encode() for number in range(20)]


def test_an_unknown_delivery_tag_is_a_406(broker: Broker) -> None:
    channel = broker.channel()

    def acknowledge() -> None:
        channel.basic_ack(7)
        drain(channel, 5)

    with pytest.raises(PreconditionFailed, match="unknown delivery tag 7"):
        acknowledge()


BODIES = {
    "json": b'{"a": 1}',
    "every byte": bytes(range(256)),
    "no text": b"\xff\xfe\x00\xd8",
    "text": "Ångström".encode(),
    "a megabyte": b"x" * (1 << 20),
    "compressed": zlib.compress(b"body"),
    "newlines": b"\r\n\n\r\x00\r\n",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("encoding", [None, "utf-8", "binary", "gzip", "no-such-encoding"])
def test_a_body_comes_back_byte_for_byte(broker: Broker, body: bytes, encoding: str | None) -> None:
    channel = broker.channel()
    declare(channel)

    headers = {"compression": "application/x-gzip"}
    send(
        channel, body, content_encoding=encoding, content_type="application/json", application_headers=headers
    )

    message = get(channel)
    assert bytes(message.body) == body
    assert message.properties.get("content_encoding") == encoding
    assert message.properties["application_headers"] == headers


def test_an_empty_body_comes_back_empty(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)

    send(channel, b"")

    assert len(get(channel).body) == 0  # py-amqp gives text here, which the core turns into bytes


def test_headers_come_back_as_they_were(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)
    headers = {
        "text": "Ångström",
        "empty": "",
        "long": "x" * 5000,
        "int": 7,
        "negative": -7,
        "big": 1 << 40,
        "float": 1.5,
        "yes": True,
        "no": False,
        "none": None,
        "bytes": b"\xff\xfe",
        "date": datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001 - AMQP's timestamps carry no zone
        "list": [1, "two", None, [3.0], {"four": 4}],
        "table": {"a": {"b": {"c": [1, 2]}}, "": "no name"},
        "x-pacer-attempt": 3,
    }

    send(channel, "body", application_headers=headers)

    assert get(channel).properties["application_headers"] == headers


def test_properties_come_back_as_they_were(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)
    properties = {
        "content_type": "application/xml",
        "content_encoding": "utf-8",
        "correlation_id": "c-1",
        "reply_to": "answers",
        "message_id": "m-1",
        "timestamp": 1_700_000_000,
        "type": "dataset",
        "app_id": "pacer",
        "priority": 3,
        "delivery_mode": 2,
        "application_headers": {"a": 1},
    }

    channel.basic_publish(Message(b"body", **properties), routing_key="q", exchange="")

    assert get(channel).properties == properties


def test_a_message_tells_where_it_was_sent(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)
    channel.exchange_declare("e", "topic", durable=True, auto_delete=False)
    channel.queue_bind("q", "e", "a.*")
    send(channel, "one", exchange="e", to="a.b")

    inbox = Inbox(channel, consumer_tag="tag")
    (message,) = inbox.wait(1)

    assert message.delivery_info == {
        "consumer_tag": "tag",
        "delivery_tag": 1,
        "redelivered": False,
        "exchange": "e",
        "routing_key": "a.b",
    }


def test_a_returned_message_is_in_front_again_and_marked(broker: Broker) -> None:
    broker.needs("order")
    channel = broker.channel()
    declare(channel)
    send(channel, *range(6))

    for message in [get(channel), get(channel), get(channel)]:
        assert not message.delivery_info["redelivered"]
        channel.basic_reject(message.delivery_tag, requeue=True)

    again = [get(channel) for _ in range(6)]
    assert [message.body for message in again] == [b"0", b"1", b"2", b"3", b"4", b"5"]
    assert [message.delivery_info["redelivered"] for message in again] == [True] * 3 + [False] * 3


def test_messages_of_a_closed_channel_come_back_in_front_and_marked(broker: Broker) -> None:
    channel = broker.channel(prefetch=2)
    declare(channel)
    send(channel, *range(4))
    seen = {message.body for message in Inbox(channel).wait(2)}

    channel.close()

    other = broker.channel()
    assert eventually(lambda: count(other) == 4)
    again = [get(other) for _ in range(4)]
    assert broker.as_sent(message.body for message in again) == [b"0", b"1", b"2", b"3"]
    assert {message.body for message in again if message.delivery_info["redelivered"]} == seen


def test_messages_of_a_closed_connection_come_back_in_front(broker: Broker) -> None:
    connection = broker.connect()
    channel = broker.channel(connection, prefetch=2)
    declare(channel)
    send(channel, *range(4))
    Inbox(channel).wait(2)

    connection.close()

    inbox = Inbox(broker.channel())
    inbox.wait(4)
    assert broker.as_sent(inbox.bodies) == ["0", "1", "2", "3"]


def test_a_consumer_holds_no_more_than_its_prefetch(broker: Broker) -> None:
    channel = broker.channel(prefetch=3)
    declare(channel)
    send(channel, *range(10))
    inbox = Inbox(channel)
    inbox.wait(3)
    assert inbox.stays_at(3)
    assert count(broker.channel()) == 7

    channel.basic_ack(inbox.messages[0].delivery_tag)

    inbox.wait(4)
    assert inbox.stays_at(4)


def test_all_consumers_of_a_channel_share_its_own_prefetch(broker: Broker) -> None:
    channel = broker.channel()
    for queue in ("one", "two"):
        declare(channel, queue)
        send(channel, *range(5), to=queue)
    channel.basic_qos(0, 3, True)

    messages: list[Any] = []
    for queue in ("one", "two"):
        channel.basic_consume(queue, callback=messages.append)

    wait_for(channel, lambda: len(messages) == 3)
    drain(channel, 0.3)
    assert len(messages) == 3


def test_a_cancelled_consumer_keeps_what_it_holds_and_gets_no_more(broker: Broker) -> None:
    channel = broker.channel(prefetch=1)
    declare(channel)
    send(channel, "one", "two")
    inbox = Inbox(channel)
    inbox.wait(1)

    channel.basic_cancel(inbox.tag)
    channel.basic_ack(inbox.messages[0].delivery_tag)

    assert inbox.stays_at(1)
    assert get(broker.channel()).body == b"two"


def test_draining_without_messages_times_out(broker: Broker) -> None:
    connection = broker.connect()
    channel = broker.channel(connection)
    declare(channel)
    Inbox(channel)

    with pytest.raises(TimeoutError):
        connection.drain_events(timeout=0.05)
