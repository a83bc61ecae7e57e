"""Live arrivals for all streams of a process: one poller, and what viewers of the same see is drawn once.

A stream has a position, the revision up to which it was told everything. The poller draws what came after the
last one for each channel (the same viewer's key, filter and columns) into a log of a few batches, which
all streams of the channel send from. A stream whose position is older than the log, as it has just come or is
slow, asks the database itself until it has caught up: none misses a change, and a slow one holds up nobody.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, TypeVar

from attrs import Factory, define, frozen

from pacer_dashboard.live.packing import HEAD, pack

log = logging.getLogger("pacer.dashboard.live")
T = TypeVar("T")

TICK = 0.5
"""Seconds between two looks for changes: what arrives between them is one batch."""
AT_ONCE = 500
"""How many rows are asked for at once."""
KEPT = 1024 * 1024
"""Bytes of drawn batches that a channel keeps for its slower streams."""
HEARTBEAT = 15.0
"""Seconds after which a stream that has nothing to say says so, so that proxies keep it open."""
TOO_FAR = 20_000
"""Revisions that a stream may be behind; one that is further is told to draw its page anew."""
GONE = b"event: gone\ndata:\n\n"


@frozen
class Batch:
    """Changes after one revision up to another, drawn."""

    after: int
    upto: int
    data: bytes

    @cached_property
    def packed(self) -> bytes:
        """The same for streams that are compressed, made once for all of them."""
        return pack(self.data)


Source = Callable[[int, int], tuple[Batch, bool]]
"""Asks for the changes after a revision, at most so many rows; says whether there are more."""


@define(eq=False)
class Channel:
    """What all who see the same are sent."""

    source: Source
    cursor: int
    log: deque[Batch] = Factory(deque)
    streams: set[Stream] = Factory(set)
    changed: asyncio.Event = Factory(asyncio.Event)

    def add(self, batch: Batch) -> None:
        """Put a batch into the log, and forget the oldest that are too much."""
        self.cursor = batch.upto
        if not batch.data and self.log and not self.log[-1].data:  # nothing for this channel, once more
            batch = Batch(self.log.pop().after, batch.upto, b"")
        self.log.append(batch)
        while len(self.log) > 1 and sum(len(one.data) for one in self.log) > KEPT:
            self.log.popleft()

    def next(self, position: int) -> Batch | None:
        """Give the batch that goes on from a position; ``None`` where the log does not reach back to it."""
        return next((one for one in self.log if one.after <= position < one.upto), None)


@define(eq=False)
class Stream:
    """One browser that listens: by what it was let in, and what it may see."""

    standing: Hashable
    sees: Hashable
    channel: Channel
    position: int
    packed: bool = False
    gone: bool = False

    def write(self, data: bytes) -> bytes:
        """Give something of this stream alone as it is sent."""
        return pack(data) if self.packed else data


Judge = Callable[[Iterable[Any]], Mapping[Any, Any]]
"""Gives for each standing what it sees now (an object with ``key()``); one that ended is left out."""


class Hub:
    """The streams of one process and event loop."""

    def __init__(self, newest: Callable[[], int], judge: Judge, done: Callable[[], None]) -> None:
        """Take how to ask for the newest revision and who may still listen; ``done`` ends each question."""
        self._newest, self._judge, self._done = newest, judge, done
        self._channels: dict[Hashable, Channel] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="dashboard-live")
        self._poller: asyncio.Task[None] | None = None

    async def listen(
        self,
        key: Hashable,
        source: Source,
        position: int | None,
        standing: Hashable,
        sees: Hashable,
        *,
        packed: bool = False,
    ) -> AsyncIterator[bytes]:
        """Give what a stream is sent, from a position on, or from now; ``packed`` as gzip."""
        newest = await self._ask(self._newest)
        channel = self._channels.setdefault(key, Channel(source, newest))
        # A position of the future is one of a database that was put back to an older state.
        begin = newest if position is None else min(position, newest)
        stream = Stream(standing, sees, channel, begin, packed)
        channel.streams.add(stream)
        if self._poller is None or self._poller.done():
            self._poller = asyncio.get_running_loop().create_task(self._poll())
        try:
            yield (HEAD if packed else b"") + stream.write(b": hello\nretry: 1000\n\n")
            async for data in self._told(stream):
                yield data
        finally:
            channel.streams.discard(stream)
            if not channel.streams and self._channels.get(key) is channel:
                del self._channels[key]

    async def _told(self, stream: Stream) -> AsyncIterator[bytes]:
        channel, now = stream.channel, asyncio.get_running_loop().time
        silent = now()
        while not stream.gone:
            changed = channel.changed
            if stream.position >= channel.cursor:
                try:
                    # What it may not see wakes it as well, and is no reason to say nothing for longer.
                    await asyncio.wait_for(changed.wait(), silent + HEARTBEAT - now())
                except TimeoutError:
                    # The browser keeps it, and shows nothing.
                    yield stream.write(f"id: {stream.position}\n\n".encode())
                    silent = now()
                continue
            if channel.cursor - stream.position > TOO_FAR:
                break
            batch = channel.next(stream.position)
            if batch is None:
                position = stream.position
                found, _ = await self._ask(lambda: channel.source(position, AT_ONCE))  # noqa: B023 - awaited here
                batch = found
            if stream.gone:
                break
            stream.position = batch.upto
            if batch.data:
                yield batch.packed if stream.packed else batch.data
                silent = now()
        yield stream.write(GONE)

    async def _poll(self) -> None:
        """Draw what is new, twice a second, as long as anybody listens; what goes wrong is said once."""
        failing = False
        while self._channels:
            await asyncio.sleep(TICK)
            try:
                await self._turn()
            except Exception:
                if not failing:
                    log.exception("live arrivals cannot be read; the streams wait")
                failing = True
                await asyncio.sleep(2 * TICK)
            else:
                if failing:
                    log.info("live arrivals are read again")
                failing = False

    async def _turn(self) -> None:
        channels = [one for one in self._channels.values() if one.streams]
        newest = await self._ask(self._newest)
        behind = [one for one in channels if one.cursor < newest]
        if not behind:
            return
        streams = [stream for one in channels for stream in one.streams]
        now = await self._ask(lambda: self._judge({stream.standing for stream in streams}))
        for stream in streams:
            sees = now.get(stream.standing)
            if sees is None or sees.key() != stream.sees:
                stream.gone = True
                stream.channel.streams.discard(stream)
                _wake(stream.channel)
        failed: Exception | None = None
        for channel in behind:
            if channel.streams:
                try:
                    await self._draw(channel, newest)
                except Exception as error:  # one filter that cannot be asked keeps no other from its rows
                    failed = error
        if failed is not None:
            raise failed

    async def _draw(self, channel: Channel, newest: int) -> None:
        more = True
        while more and channel.cursor < newest:
            cursor = channel.cursor
            batch, more = await self._ask(lambda: channel.source(cursor, AT_ONCE))  # noqa: B023 - awaited here
            # What is not newer than `newest` was there to be found: revisions are committed in their order.
            channel.add(batch if more else Batch(cursor, max(batch.upto, newest), batch.data))
            _wake(channel)

    async def _ask(self, question: Callable[[], T]) -> T:
        """Ask the database, in the one thread that has the hub's connection."""

        def ask() -> T:
            try:
                return question()
            finally:
                self._done()

        return await asyncio.get_running_loop().run_in_executor(self._thread, ask)


def _wake(channel: Channel) -> None:
    channel.changed.set()
    channel.changed = asyncio.Event()
