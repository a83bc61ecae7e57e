"""A shovel as one writes it in a hurry: consume, publish without confirms on a second connection, ack."""

from __future__ import annotations

from typing import Any

from kombu import Connection, Consumer, Queue

from benchmarks import probe


def main() -> None:
    """Forward until terminated."""
    with Connection(probe.SETTING["url"]) as here, Connection(probe.SETTING["target"]) as there:
        out = there.channel()

        def on_message(message: Any) -> None:
            out.basic_publish(
                out.prepare_message(
                    message.body, content_type=message.content_type, properties={"delivery_mode": 2}
                ),
                exchange=message.delivery_info["exchange"],
                routing_key=message.delivery_info["routing_key"],
            )
            message.ack()

        queue = Queue(probe.SETTING["queue"], no_declare=True)
        consumer = Consumer(here.channel(), [queue], on_message=on_message, auto_declare=False)
        consumer.qos(prefetch_count=int(probe.SETTING["prefetch"]))
        with consumer:
            while True:
                here.drain_events()


if __name__ == "__main__":
    main()
