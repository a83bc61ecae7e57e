"""As `kafka_bare`, by py-amqp, one batch after the other: each is confirmed before the next is read."""

from __future__ import annotations

import os
from typing import Any

import amqp
import orjson
from confluent_kafka import Consumer
from streaming_data_types.finished_writing_wrdn import deserialise_wrdn

WINDOW = 500


def main() -> None:
    """Take over what comes in until terminated."""
    setting = {name.removeprefix("BENCH_").lower(): value for name, value in os.environ.items()}
    consumer: Any = Consumer(
        {
            "bootstrap.servers": setting["kafka"],
            "group.id": setting["group"],
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([setting["topic"]])
    connection = amqp.Connection(f"127.0.0.1:{setting['port']}", "guest", "guest")
    connection.connect()
    channel = connection.channel()
    channel.confirm_select()
    confirmed = 0

    def acked(tag: int, multiple: bool) -> None:
        nonlocal confirmed
        confirmed = tag if multiple else confirmed + 1

    channel.events["basic_ack"].add(acked)
    sent = 0
    while True:
        messages = consumer.consume(WINDOW, 0.01)
        for message in messages:
            if message.error() is None:
                body = orjson.dumps(deserialise_wrdn(message.value())._asdict())
                sent += 1
                channel.basic_publish(
                    amqp.Message(body, content_type="application/json", delivery_mode=2),
                    routing_key=setting["queue"],
                )
        while confirmed < sent:
            connection.drain_events(timeout=60)
        if messages:
            consumer.commit(messages[-1], asynchronous=True)


if __name__ == "__main__":
    main()
