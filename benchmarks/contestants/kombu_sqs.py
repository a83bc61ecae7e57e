"""kombu's own transport for SQS, as its documentation shows it: a callback, an ack, ``drain_events``."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from kombu import Connection, Consumer, Queue

from benchmarks import probe


def main() -> None:
    """Consume until terminated."""

    def on_message(message: Any) -> None:
        probe.work()
        message.ack()

    name = probe.SETTING["queue"]
    place = urlsplit(probe.SETTING["url"])
    options = {
        "region": "us-east-1",
        "is_secure": False,
        "visibility_timeout": 120,
        "predefined_queues": {
            name: {
                "url": f"{probe.SETTING['url']}/000000000000/{name}",
                "access_key_id": "x",
                "secret_access_key": "x",
            }
        },
    }
    url = f"sqs://x:x@{place.hostname}:{place.port}"
    queue = Queue(name, no_declare=True)
    with Connection(url, transport_options=options) as connection, connection.channel() as channel:
        consumer = Consumer(channel, [queue], on_message=on_message, auto_declare=False)
        consumer.qos(prefetch_count=int(probe.SETTING["prefetch"]))
        with consumer:
            while True:
                connection.drain_events()


if __name__ == "__main__":
    main()
