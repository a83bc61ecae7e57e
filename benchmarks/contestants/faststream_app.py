"""FastStream: an asynchronous subscriber that gets the decoded body, acknowledged afterwards."""

from __future__ import annotations

import asyncio
from typing import Any

from faststream import FastStream
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitQueue

from benchmarks import probe


async def main() -> None:
    """Consume until terminated; at most ``threads`` messages are inside the handler."""
    broker = RabbitBroker(probe.SETTING["url"], logger=None)
    queue = RabbitQueue(probe.SETTING["queue"], queue_type=QueueType.QUORUM, durable=True, declare=False)
    threads, prefetch = int(probe.SETTING["threads"]), int(probe.SETTING["prefetch"])
    limit = asyncio.Semaphore(threads)

    async def handle(_: dict[str, Any]) -> None:
        await probe.work_async()

    async def handle_some(_: dict[str, Any]) -> None:
        async with limit:
            await probe.work_async()

    subscribe = broker.subscriber(queue, channel=Channel(prefetch_count=prefetch))
    subscribe(handle_some if threads < prefetch else handle)

    await FastStream(broker, logger=None).run()


if __name__ == "__main__":
    asyncio.run(main())
