from __future__ import annotations

from typing import Any

import pytest
from amqp.exceptions import AccessRefused, ConsumerCancelled, NotFound, PreconditionFailed

from pacer_contract.broker import Broker, Inbox, count, declare, drain, eventually, get, send, wait_for

KEYS = ["", "a", "a.b", "a.b.c", "b", "b.a", "a..b", "a.b.a.b", "ab"]


def taken(broker: Broker, kind: str, binding: str, **arguments: Any) -> list[str]:
    """Give those of KEYS whose messages a binding takes."""
    channel = broker.channel()
    declare(channel)
    channel.exchange_declare("e", kind, durable=True, auto_delete=False)
    channel.queue_bind("q", "e", binding, arguments=arguments or None)
    declare(channel, "rest")
    channel.exchange_declare("all", "fanout", durable=True, auto_delete=False)
    for key in KEYS:
        channel.basic_publish(channel.prepare_message(key.encode(), properties={}), "e", key)
    found = []
    while (message := channel.basic_get("q", no_ack=True)) is not None:
        found.append(message.delivery_info["routing_key"])
    return found if broker.capabilities.order else sorted(found, key=KEYS.index)


@pytest.mark.parametrize(
    ("binding", "expected"),
    [
        ("a", ["a"]),
        ("a.b", ["a.b"]),
        ("*", ["a", "b", "ab"]),
        ("a.*", ["a.b"]),
        ("*.b", ["a.b"]),
        ("a.*.c", ["a.b.c"]),
        ("#", KEYS),
        ("a.#", ["a", "a.b", "a.b.c", "a..b", "a.b.a.b"]),
        ("#.b", ["a.b", "b", "a..b", "a.b.a.b"]),
        ("a.#.b", ["a.b", "a..b", "a.b.a.b"]),
        ("#.a.#", ["a", "a.b", "a.b.c", "b.a", "a..b", "a.b.a.b"]),
        ("*.#", ["a", "a.b", "a.b.c", "b", "b.a", "a..b", "a.b.a.b", "ab"]),
        ("", [""]),
        ("a.*.b", ["a..b"]),
    ],
)
def test_a_topic_exchange_knows_words_and_wildcards(
    broker: Broker, binding: str, expected: list[str]
) -> None:
    assert taken(broker, "topic", binding) == expected


def test_a_direct_exchange_takes_the_key_as_it_is(broker: Broker) -> None:
    assert taken(broker, "direct", "a.b") == ["a.b"]


def test_a_fanout_exchange_takes_everything(broker: Broker) -> None:
    assert taken(broker, "fanout", "a.b") == KEYS


@pytest.mark.parametrize(
    ("arguments", "headers", "taken"),
    [
        ({"x-match": "all", "a": 1, "b": "x"}, {"a": 1, "b": "x", "c": 2}, True),
        ({"x-match": "all", "a": 1, "b": "x"}, {"a": 1}, False),
        ({"a": 1, "b": "x"}, {"a": 1}, False),
        ({"x-match": "any", "a": 1, "b": "x"}, {"b": "x"}, True),
        ({"x-match": "any", "a": 1, "b": "x"}, {"b": "y"}, False),
        ({"x-match": "all", "a": None}, {"a": "whatever"}, True),
        ({"x-match": "all", "a": None}, {}, False),
        ({"x-match": "all", "x-a": 1}, {}, True),
        ({"x-match": "any-with-x", "x-a": 1}, {"x-a": 1}, True),
        ({"x-match": "all-with-x", "x-a": 1}, {}, False),
    ],
)
def test_a_headers_exchange_compares_headers(
    broker: Broker, arguments: dict[str, Any], headers: dict[str, Any], taken: bool
) -> None:
    channel = broker.channel()
    declare(channel)
    channel.exchange_declare("e", "headers", durable=True, auto_delete=False)
    channel.queue_bind("q", "e", "", arguments=arguments)

    message = channel.prepare_message(b"body", headers=headers, properties={})
    channel.basic_publish(message, "e", "key")

    assert (channel.basic_get("q") is not None) == taken


def test_a_queue_bound_twice_gets_one_copy_and_two_queues_get_two(broker: Broker) -> None:
    channel = broker.channel()
    channel.exchange_declare("e", "topic", durable=True, auto_delete=False)
    for queue in ("q", "r"):
        declare(channel, queue)
    for binding in ("a.*", "#"):
        channel.queue_bind("q", "e", binding)
    channel.queue_bind("r", "e", "a.b")

    send(channel, "body", exchange="e", to="a.b")

    assert [count(channel, "q"), count(channel, "r")] == [1, 1]


def test_a_removed_binding_takes_nothing(broker: Broker) -> None:
    channel = broker.channel()
    channel.exchange_declare("e", "direct", durable=True, auto_delete=False)
    declare(channel)
    channel.queue_bind("q", "e", "a")

    channel.queue_unbind("q", "e", "a")
    channel.basic_publish(channel.prepare_message(b"body", properties={}), "e", "a")

    assert channel.basic_get("q") is None


def test_a_deleted_exchange_is_gone_with_its_bindings(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)
    channel.exchange_declare("e", "fanout", durable=True, auto_delete=False)
    channel.queue_bind("q", "e")

    channel.exchange_delete("e")
    channel.exchange_declare("e", "fanout", durable=True, auto_delete=False)
    channel.basic_publish(channel.prepare_message(b"body", properties={}), "e", "")

    assert channel.basic_get("q") is None
    channel.exchange_delete("none")


def test_an_exchange_or_a_queue_in_use_is_not_deleted_where_it_must_be_unused(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)
    channel.exchange_declare("e", "fanout", durable=True, auto_delete=False)
    channel.queue_bind("q", "e")
    Inbox(broker.channel())

    with pytest.raises(PreconditionFailed, match="in use"):
        channel.exchange_delete("e", if_unused=True)
    with pytest.raises(PreconditionFailed, match="in use"):
        channel.queue_delete("q", if_unused=True)


@pytest.mark.parametrize("call", ["passive", "consume", "get", "purge", "bind"])
def test_a_queue_that_is_not_there_is_a_404_and_the_channel_goes_on(broker: Broker, call: str) -> None:
    channel = broker.channel()
    calls = {
        "passive": lambda: channel.queue_declare("none", passive=True),
        "consume": lambda: channel.basic_consume("none", callback=print),
        "get": lambda: channel.basic_get("none"),
        "purge": lambda: channel.queue_purge("none"),
        "bind": lambda: channel.queue_bind("none", "amq.topic", "a"),
    }

    with pytest.raises(NotFound, match="no queue 'none' in vhost") as caught:
        calls[call]()

    assert caught.value.reply_code == 404
    declare(channel)


@pytest.mark.parametrize("call", ["passive", "bind"])
def test_an_exchange_that_is_not_there_is_a_404_and_the_channel_goes_on(broker: Broker, call: str) -> None:
    channel = broker.channel()
    declare(channel)
    calls = {
        "passive": lambda: channel.exchange_declare("none", "direct", passive=True),
        "bind": lambda: channel.queue_bind("q", "none", "a"),
    }

    with pytest.raises(NotFound, match="no exchange 'none' in vhost") as caught:
        calls[call]()

    assert caught.value.reply_code == 404
    declare(channel)


def test_what_is_there_may_be_declared_again_and_looked_at(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel, x_message_ttl=60000, x_dead_letter_exchange="")
    send(channel, "one")
    channel.exchange_declare("e", "topic", durable=True, auto_delete=False)

    declare(channel, x_message_ttl=60000, x_dead_letter_exchange="")
    channel.exchange_declare("e", "topic", durable=True, auto_delete=False)

    assert channel.queue_declare("q", passive=True) == ("q", 1, 0)
    channel.exchange_declare("e", "topic", passive=True)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"x_message_ttl": 5000}, "inequivalent arg 'x-message-ttl' for queue 'q' in vhost"),
        ({}, "inequivalent arg 'x-message-ttl' for queue 'q' in vhost"),
        ({"x_message_ttl": 1000, "x_max_priority": 5}, "inequivalent arg 'x-max-priority' for queue 'q'"),
    ],
)
def test_a_queue_with_other_arguments_is_a_406_that_names_one(
    broker: Broker, arguments: dict[str, Any], named: str
) -> None:
    channel = broker.channel()
    declare(channel, x_message_ttl=1000)

    with pytest.raises(PreconditionFailed, match=named) as caught:
        declare(channel, **arguments)

    assert caught.value.reply_code == 406
    declare(channel, x_message_ttl=1000)


def test_a_queue_that_is_durable_is_not_one_that_is_not(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)

    with pytest.raises(PreconditionFailed, match="inequivalent arg 'durable' for queue 'q'"):
        channel.queue_declare("q", durable=False, auto_delete=False)


def test_an_exchange_of_another_type_is_a_406(broker: Broker) -> None:
    channel = broker.channel()
    channel.exchange_declare("e", "topic", durable=True, auto_delete=False)

    expected = r"inequivalent arg 'type' for exchange 'e' in vhost .*received 'direct' but current is 'topic'"
    with pytest.raises(PreconditionFailed, match=expected):
        channel.exchange_declare("e", "direct", durable=True, auto_delete=False)


def test_purging_and_deleting_tell_how_many_messages_there_were(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)
    send(channel, *range(5))
    held = get(channel)

    assert channel.queue_purge("q") == 4
    channel.basic_reject(held.delivery_tag, requeue=True)
    assert eventually(lambda: count(channel) == 1)
    assert channel.queue_delete("q") == 1
    assert channel.queue_delete("q") == 0


def test_a_queue_with_messages_is_not_deleted_where_it_must_be_empty(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)
    send(channel, "one")

    with pytest.raises(PreconditionFailed, match=r"queue 'q' in vhost '.*' not empty"):
        channel.queue_delete("q", if_empty=True)

    assert count(channel) == 1


def test_consumers_are_counted(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)
    inbox = Inbox(channel)
    other = broker.channel()
    Inbox(other)
    assert channel.queue_declare("q", passive=True).consumer_count == 2

    channel.basic_cancel(inbox.tag)

    assert channel.queue_declare("q", passive=True).consumer_count == 1


def test_a_deleted_queue_cancels_its_consumer(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)
    Inbox(channel)

    broker.channel().queue_delete("q")

    with pytest.raises(ConsumerCancelled):
        drain(channel, 5)


def test_a_deleted_queue_tells_a_consumer_that_wants_to_know(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)
    told: list[str] = []
    tag = channel.basic_consume("q", callback=print, on_cancel=told.append)

    broker.channel().queue_delete("q")

    wait_for(channel, lambda: told == [tag])


def test_one_consumer_is_active_and_the_next_takes_over(broker: Broker) -> None:
    first, second = broker.channel(prefetch=1), broker.channel(prefetch=1)
    declare(first, x_single_active_consumer=True)
    active, standby = Inbox(first), Inbox(second)
    send(first, *range(3))
    active.wait(1)
    assert standby.stays_at(0)

    first.close()

    assert standby.wait(1)[0].body == b"0" or not broker.capabilities.order


def test_an_exclusive_consumer_shuts_others_out(broker: Broker) -> None:
    first, second = broker.channel(), broker.channel()
    declare(first)
    Inbox(first, exclusive=True)

    with pytest.raises(AccessRefused, match=r"queue 'q' in vhost '.*' in exclusive use") as caught:
        Inbox(second)
    assert caught.value.reply_code == 403

    first.close()
    Inbox(second, exclusive=True)


def test_nobody_is_exclusive_beside_another(broker: Broker) -> None:
    first, second = broker.channel(), broker.channel()
    declare(first)
    Inbox(first)

    with pytest.raises(AccessRefused):
        Inbox(second, exclusive=True)


def test_a_higher_priority_overtakes(broker: Broker) -> None:
    broker.needs("priorities")
    channel = broker.channel()
    declare(channel, x_max_priority=5)
    for body, priority in [("a", 0), ("b", 5), ("c", 1), ("d", 9), ("e", None), ("f", 1)]:
        send(channel, body, priority=priority)

    bodies = "".join(get(channel).body.decode() for _ in range(6))

    assert bodies == "bdcfae"


def test_without_priorities_nobody_overtakes(broker: Broker) -> None:
    broker.needs("order")
    channel = broker.channel()
    declare(channel)
    for body, priority in [("a", 0), ("b", 5)]:
        send(channel, body, priority=priority)

    assert [get(channel).body for _ in range(2)] == [b"a", b"b"]
