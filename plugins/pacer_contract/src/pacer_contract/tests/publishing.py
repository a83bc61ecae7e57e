from __future__ import annotations

from typing import Any

import pytest
from amqp import Message
from amqp.exceptions import ChannelError, FrameSyntaxError, NotFound, PreconditionFailed

from pacer_contract.broker import Broker, count, declare, eventually, send, wait_for


def test_a_confirmed_message_is_there(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)

    send(channel, "one")

    assert count(broker.channel()) == 1


def test_an_unroutable_mandatory_message_raises_and_the_channel_goes_on(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)

    with pytest.raises(ChannelError) as caught:
        send(channel, "one", to="nobody")

    assert (caught.value.reply_code, caught.value.reply_text) == (312, "NO_ROUTE")
    send(channel, "two")
    assert count(channel) == 1


def test_an_unroutable_message_that_is_not_mandatory_is_dropped(broker: Broker) -> None:
    channel = broker.channel()

    channel.basic_publish(Message(b"body"), exchange="", routing_key="nobody")


def test_publishing_to_an_unknown_exchange_is_a_404_and_the_channel_goes_on(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)

    with pytest.raises(NotFound, match="no exchange 'none' in vhost") as caught:
        send(channel, "one", exchange="none")

    assert caught.value.reply_code == 404
    send(channel, "two")
    assert count(channel) == 1


def test_a_header_that_amqp_does_not_know_is_refused_when_it_is_sent(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)

    with pytest.raises(FrameSyntaxError):
        send(channel, "one", application_headers={"a": {"b": object()}})


def test_an_expiration_that_is_no_number_is_a_406(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)

    with pytest.raises(PreconditionFailed, match="invalid expiration"):
        send(channel, "one", expiration="soon")

    assert count(channel) == 0


def window(broker: Broker) -> tuple[Any, set[int], list[Any]]:
    """Open a channel whose confirms and returns are gathered."""
    channel = broker.channel(confirm=False)
    open_tags: set[int] = set()
    returned: list[Any] = []

    def confirmed(tag: int, multiple: bool) -> None:
        open_tags.difference_update([one for one in open_tags if one == tag or (multiple and one <= tag)])

    channel.confirm_select()
    channel.events["basic_ack"].add(confirmed)
    channel.events["basic_return"].add(lambda *call: returned.append(call))
    return channel, open_tags, returned


def test_a_window_of_messages_is_confirmed_while_draining(broker: Broker) -> None:
    channel, open_tags, _ = window(broker)
    declare(channel)

    for number in range(1, 251):
        open_tags.add(number)
        send(channel, number)
    wait_for(channel, lambda: not open_tags)

    assert count(broker.channel()) == 250


def test_what_was_sent_in_a_window_is_there_after_closing(broker: Broker) -> None:
    channel, _, _ = window(broker)
    declare(channel)
    send(channel, *range(10))

    channel.close()

    other = broker.channel()
    assert eventually(lambda: count(other) == 10)


def test_an_unroutable_message_of_a_window_comes_back_before_its_confirm(broker: Broker) -> None:
    channel, open_tags, returned = window(broker)
    declare(channel)
    headers = {"x-number": 2}

    open_tags.update({1, 2, 3})
    send(channel, "one")
    send(channel, "two", to="nobody", application_headers=headers, content_type="text/plain")
    send(channel, "three")
    wait_for(channel, lambda: not open_tags)

    ((error, exchange, routing_key, message),) = returned
    assert (error.reply_code, error.reply_text) == (312, "NO_ROUTE")
    assert (exchange, routing_key) == ("", "nobody")
    assert (bytes(message.body), message.properties["application_headers"]) == (b"two", headers)
    assert eventually(lambda: count(broker.channel()) == 2)


def test_an_unknown_exchange_in_a_window_raises_while_draining(broker: Broker) -> None:
    channel, open_tags, _ = window(broker)
    declare(channel)

    open_tags.update({1, 2})
    send(channel, "one")
    send(channel, "two", exchange="none")

    with pytest.raises(NotFound):
        wait_for(channel, lambda: not open_tags)
    assert eventually(lambda: count(broker.channel()) == 1)
