"""What was taken from Kafka, on its way to the broker: read and published by a thread of its own.

So that the thread that reads Kafka is never kept from it: a member of a group that does not ask for messages
loses its partitions, and a broker may be away for hours.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Sequence

from attrs import define, field

from pacer_core import Publication, ServiceContext, Stopping
from pacer_kafka.offsets import Offsets
from pacer_kafka.options import KafkaOptions
from pacer_kafka.reading import Reader, Record

MOST = 2
"""Batches in hand: one that is being published, and one that waits for it."""
GLANCE, SELDOM = 1.0, 30.0
"""Seconds between looks at how long PACER's queues are: where one is too long, and where none was."""
SHARE = 20
"""A look is due as well after so many publications as would be this part of ``pauseAbove``."""
Batch = Sequence[tuple[int, Record]]
"""Records, each with the assignment of its partition in which it was taken."""


@define(eq=False)
class Sending:
    """Publishes batches in their order, and notes in `Offsets` what the broker has confirmed."""

    ctx: ServiceContext
    offsets: Offsets
    full: str = ""
    """Which queue is too long for more to be read, and how long it is."""
    failure: BaseException | None = None
    """What has ended it, so that the service has to end."""
    _batches: deque[Batch] = field(factory=deque)
    _changed: threading.Condition = field(factory=threading.Condition)
    _closed: bool = False
    _looked: float = -SELDOM
    _since: int = 1
    """How many messages were published since the last look; there may be some from before."""
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, name="to the broker", daemon=True)
        self._thread.start()

    def wait_for_room(self, seconds: float) -> bool:
        """Wait until another batch may be handed over; say whether it may."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._batches) < MOST or self._closed, seconds)

    def hand_over(self, batch: Batch) -> None:
        """Give a batch to be published."""
        with self._changed:
            self._batches.append(batch)
            self._changed.notify_all()

    def wait_until_sent(self, seconds: float) -> bool:
        """Wait until nothing is in hand; say whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._batches or self._closed, seconds)

    def close(self, seconds: float) -> None:
        """Let what is in hand be published, as long as there is time, and end."""
        self.wait_until_sent(seconds)
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        reader = Reader(self.ctx.options)
        try:
            self._look()
            while (batch := self._next()) is not None:
                if batch:
                    self._send(reader, batch)
                    with self._changed:
                        self._batches.popleft()
                        self._changed.notify_all()
                self._look()
        except Stopping:
            pass  # the broker is away; what is unconfirmed is not committed
        except BaseException as error:  # raised again by the thread that reads Kafka
            self.failure = error
        finally:
            with self._changed:
                self._closed = True
                self._changed.notify_all()

    def _next(self) -> Batch | None:
        """Give the batch that is to be published, an empty one where there is none, ``None`` at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._batches or self._closed, GLANCE)
            if self._batches:
                return self._batches[0]
            return None if self._closed else ()

    def _send(self, reader: Reader, batch: Batch) -> None:
        counted: Counter[str] = Counter()
        sent: list[tuple[Record, Publication]] = []
        for _, record in batch:
            read = reader.read(record)
            counted[read.counted] += 1
            if read.publication is not None:
                sent.append((record, read.publication))
                if read.publication.dead:
                    self.ctx.log.warning("%s goes to a dead queue (%s)", record.place, read.counted)
        self._publish(reader, sent, counted)
        self._since += len(sent)
        self.offsets.confirm(batch)
        for what, number in counted.items():
            self.ctx.count(what, number)

    def _publish(self, reader: Reader, sent: list[tuple[Record, Publication]], counted: Counter[str]) -> None:
        said = self.ctx.publish_each([publication for _, publication in sent])
        for (record, publication), why in zip(sent, said, strict=True):
            if why is None:
                continue
            counted["refused"] += 1
            self.ctx.log.error("the broker does not take %s: %s", record.place, why)
            letter = reader.refused(record, publication, str(why))
            (refused,) = self.ctx.publish_each([letter])
            if refused is not None:
                self.ctx.log.error("nor does its dead queue; read it from Kafka by hand: %s", refused)

    def _look(self) -> None:
        """Look how long the queues are that messages go to, where that may have changed.

        Not more often: a message that came during a look would wait for it.
        """
        options: KafkaOptions = self.ctx.options
        elapsed = time.monotonic() - self._looked
        many = self._since * SHARE >= options.pause_above
        if elapsed < GLANCE or not (self.full or many or (self._since and elapsed >= SELDOM)):
            return
        self._since = 0
        waiting = {end: self.ctx.waiting(end) or 0 for end in options.ends}
        self._looked = time.monotonic()
        longest = max(waiting, key=lambda end: waiting[end])
        self.full = (
            f"{longest} holds {waiting[longest]:,} messages, more than pauseAbove ({options.pause_above:,})"
            if waiting[longest] > options.pause_above
            else ""
        )
