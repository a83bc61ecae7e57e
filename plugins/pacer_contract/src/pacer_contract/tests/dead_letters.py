from __future__ import annotations

from datetime import datetime
from typing import Any

from amqp import Message

from pacer_contract.broker import Broker, Inbox, count, declare, eventually, get, send


def ladder(channel: Any, *, step: int = 200, **arguments: Any) -> None:
    """Declare one step of the retry ladder: it gives messages back by the name of their queue."""
    declare(channel, f"retry.{step}", x_message_ttl=step, x_dead_letter_exchange="", **arguments)
    channel.exchange_declare("retry", "fanout", durable=True, auto_delete=False)
    channel.queue_bind(f"retry.{step}", "retry", "")


def test_a_delayed_message_comes_back_to_the_queue_that_its_key_names(broker: Broker) -> None:
    broker.needs("delays")
    channel = broker.channel()
    declare(channel)
    ladder(channel)
    inbox = Inbox(channel)

    body, headers = b"\xff body", {"x-pacer-attempt": 2}
    send(channel, body, exchange="retry", to="q", application_headers=headers, correlation_id="c")
    assert inbox.stays_at(0, 0.05)
    (message,) = inbox.wait(1)

    assert message.body == body
    assert message.properties["correlation_id"] == "c"
    assert message.properties["application_headers"]["x-pacer-attempt"] == 2
    info = message.delivery_info
    assert (info["exchange"], info["routing_key"], info["redelivered"]) == ("", "q", False)


def test_a_message_tells_of_its_delays(broker: Broker) -> None:
    broker.needs("delays")
    channel = broker.channel()
    declare(channel)
    ladder(channel, step=20)
    headers: dict[str, Any] = {}

    for _ in range(3):
        send(channel, "body", exchange="retry", to="q", application_headers=headers)
        message = get(channel)
        channel.basic_ack(message.delivery_tag)
        headers = message.properties["application_headers"]

    (death,) = headers["x-death"]
    assert isinstance(death.pop("time"), datetime)
    # RabbitMQ 4 begins anew for what a client publishes; PACER counts in headers of its own.
    server = getattr(channel.connection, "server_properties", None) or {}
    afresh = str(server.get("version", "")).startswith("4.")
    assert death == {
        "count": 1 if afresh else 3,
        "reason": "expired",
        "queue": "retry.20",
        "exchange": "retry",
        "routing-keys": ["q"],
    }
    assert headers["x-first-death-queue"] == "retry.20"
    assert headers["x-first-death-reason"] == "expired"
    assert headers["x-first-death-exchange"] == "retry"


def test_delayed_messages_keep_their_order(broker: Broker) -> None:
    broker.needs("delays", "order")
    channel = broker.channel()
    declare(channel)
    ladder(channel)
    send(channel, *range(100), exchange="retry", to="q")

    inbox = Inbox(channel)

    inbox.wait(100)
    assert inbox.bodies == [str(number) for number in range(100)]


def test_a_delay_is_waited_for_although_nobody_consumes(broker: Broker) -> None:
    broker.needs("delays")
    channel = broker.channel()
    declare(channel)
    ladder(channel, step=50)

    send(channel, "one", exchange="retry", to="q")

    assert eventually(lambda: count(channel) == 1)
    assert eventually(lambda: count(channel, "retry.50") == 0)


def test_an_own_expiration_ends_a_wait_and_is_not_kept(broker: Broker) -> None:
    broker.needs("delays")
    channel = broker.channel()
    declare(channel)
    ladder(channel, step=60_000)

    send(channel, "one", exchange="retry", to="q", expiration="20")

    message = get(channel)
    assert "expiration" not in message.properties
    assert message.properties["application_headers"]["x-death"][0]["original-expiration"] == "20"


def test_without_a_dead_letter_exchange_an_expired_message_is_gone(broker: Broker) -> None:
    broker.needs("delays")
    channel = broker.channel()
    declare(channel, x_message_ttl=20)

    send(channel, "one")

    assert eventually(lambda: count(channel) == 0)
    assert channel.basic_get("q") is None


def test_a_message_in_somebodys_hand_does_not_expire(broker: Broker) -> None:
    broker.needs("delays", "expiry")
    channel = broker.channel()
    declare(channel, "dead")
    declare(channel, x_message_ttl=500, x_dead_letter_exchange="", x_dead_letter_routing_key="dead")
    send(channel, "one", "two")
    held = get(channel)

    assert eventually(lambda: count(channel, "dead") == 1)

    channel.basic_ack(held.delivery_tag)
    assert get(channel, "dead").body == b"two"
    assert channel.basic_get("dead") is None


def test_a_rejected_message_goes_to_its_dead_queue_byte_for_byte(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel, "q.dead")
    declare(channel, x_dead_letter_exchange="", x_dead_letter_routing_key="q.dead")
    send(channel, b"\xff\x00", content_type="application/xml", application_headers={"a": 1})

    channel.basic_reject(get(channel).delivery_tag, requeue=False)

    message = get(channel, "q.dead")
    assert message.body == b"\xff\x00"
    assert message.properties["content_type"] == "application/xml"
    headers = message.properties["application_headers"]
    assert headers["a"] == 1
    assert headers["x-death"][0]["reason"] == "rejected"
    assert headers["x-death"][0]["queue"] == "q"
    assert count(channel) == 0


def test_a_rejected_message_without_a_dead_queue_is_gone(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)
    send(channel, "one")

    channel.basic_reject(get(channel).delivery_tag, requeue=False)
    channel.close()

    other = broker.channel()
    assert other.basic_get("q") is None


def test_deaths_in_two_queues_are_told_apart_the_latest_first(broker: Broker) -> None:
    broker.needs("delays")
    channel = broker.channel()
    declare(channel, "q.dead")
    declare(channel, x_dead_letter_exchange="", x_dead_letter_routing_key="q.dead")
    ladder(channel, step=20)
    send(channel, "one", exchange="retry", to="q")

    channel.basic_reject(get(channel).delivery_tag, requeue=False)

    deaths = get(channel, "q.dead").properties["application_headers"]["x-death"]
    assert [(death["queue"], death["reason"]) for death in deaths] == [
        ("q", "rejected"),
        ("retry.20", "expired"),
    ]


def test_a_dead_letter_goes_through_an_exchange_to_all_its_queues(broker: Broker) -> None:
    channel = broker.channel()
    channel.exchange_declare("graves", "fanout", durable=True, auto_delete=False)
    for queue in ("one", "two"):
        declare(channel, queue)
        channel.queue_bind(queue, "graves", "")
    declare(channel, x_dead_letter_exchange="graves")
    channel.basic_publish(Message(b"body"), exchange="", routing_key="q")

    channel.basic_reject(get(channel).delivery_tag, requeue=False)

    assert get(channel, "one").delivery_info["routing_key"] == "q"
    assert get(channel, "two").delivery_info["exchange"] == "graves"
