"""kombu as its own documentation shows it, with nothing on top: a callback, an ack, ``drain_events``."""

from __future__ import annotations

from typing import Any

from kombu import Connection, Consumer, Queue

from benchmarks import probe


def main() -> None:
    """Consume until terminated."""

    def on_message(message: Any) -> None:
        probe.work()
        message.ack()

    queue = Queue(probe.SETTING["queue"], no_declare=True)
    with Connection(probe.SETTING["url"]) as connection, connection.channel() as channel:
        consumer = Consumer(channel, [queue], on_message=on_message, auto_declare=False)
        consumer.qos(prefetch_count=int(probe.SETTING["prefetch"]))
        with consumer:
            while True:
                connection.drain_events()


if __name__ == "__main__":
    main()
