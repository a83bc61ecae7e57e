"""Kafka to RabbitMQ with nothing on top: poll, decode, publish with a window of confirms, commit.

By pika's asynchronous connection, which writes what was published in one go: the window slides, so that
neither side ever waits for the other one's whole batch.
"""

from __future__ import annotations

import os
from typing import Any

import orjson
import pika
from confluent_kafka import Consumer, TopicPartition
from streaming_data_types.finished_writing_wrdn import deserialise_wrdn

WINDOW, MANY = 1000, 250
_PROPERTIES = pika.BasicProperties(content_type="application/json", delivery_mode=2)


class Loop:
    """Publishes while fewer than `WINDOW` messages are unconfirmed."""

    def __init__(self, setting: dict[str, str]) -> None:
        self._queue, self._topic = setting["queue"], setting["topic"]
        self._consumer: Any = Consumer(
            {
                "bootstrap.servers": setting["kafka"],
                "group.id": setting["group"],
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
            }
        )
        self._consumer.subscribe([self._topic])
        self._sent = self._confirmed = 0
        self._offsets: list[tuple[int, Any]] = []
        """After how many messages each batch ends, and what may be committed then."""
        where = pika.ConnectionParameters("127.0.0.1", int(setting["port"]), heartbeat=0)
        self.connection = pika.SelectConnection(where, on_open_callback=self._opened)

    def _opened(self, connection: Any) -> None:
        connection.channel(on_open_callback=self._begin)

    def _begin(self, channel: Any) -> None:
        self._channel = channel
        channel.confirm_delivery(self._acked)
        self._pump()

    def _acked(self, frame: Any) -> None:
        tag = frame.method.delivery_tag
        self._confirmed = tag if frame.method.multiple else self._confirmed + 1
        while self._offsets and self._offsets[0][0] <= self._confirmed:
            _, offset = self._offsets.pop(0)
            self._consumer.commit(offsets=[offset], asynchronous=True)

    def _pump(self) -> None:
        room = WINDOW - (self._sent - self._confirmed)
        if room >= MANY:
            # It waits for as many as asked for, or for the time: where some are on their way, for none.
            messages = self._consumer.consume(MANY, 0.0 if self._sent > self._confirmed else 0.01)
            for message in messages:
                if message.error() is None:
                    body = orjson.dumps(deserialise_wrdn(message.value())._asdict())
                    self._sent += 1
                    self._channel.basic_publish("", self._queue, body, _PROPERTIES)
            if messages:
                last = TopicPartition(self._topic, messages[-1].partition(), messages[-1].offset() + 1)
                self._offsets.append((self._sent, last))
        self.connection.ioloop.call_later(0, self._pump)


def main() -> None:
    """Take over what comes in until terminated."""
    loop = Loop({name.removeprefix("BENCH_").lower(): value for name, value in os.environ.items()})
    loop.connection.ioloop.start()


if __name__ == "__main__":
    main()
