"""What one connection has in its hand: messages that SQS hides from others, for as long as it is told so.

A thread says so again, for all of them, three times within the time for which they are hidden. One that SQS
does not take to be ours any more is lost to others; a connection that has said nothing for all of that time
holds nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from itertools import groupby

from amqp.exceptions import RecoverableConnectionError
from attrs import define

from pacer_sqs.client import QueueGone, batches
from pacer_sqs.place import Place, SqsQueue
from pacer_sqs.wire import Read

log = logging.getLogger("pacer.transport")


@define(eq=False)
class Held:
    """A message in our hand.

    Attributes
    ----------
    handle
        What SQS wants to hear of it.
    since
        When it was hidden last, on the monotonic clock.
    body_key
        Where its body is in S3.
    ending
        Whether SQS is being told that it has ended.
    """

    queue: SqsQueue
    handle: str
    message: Read
    redelivered: bool
    since: float
    body_key: str | None = None
    ending: bool = False


class Hand:
    """All that one connection holds."""

    def __init__(self, place: Place, executor: Executor, failed: Callable[[Exception], None]) -> None:
        self._place, self._executor, self._failed = place, executor, failed
        self._held: dict[int, Held] = {}
        self._lock = threading.Lock()
        self._alive = time.monotonic()
        self._pause = place.visibility / 3
        self._ended = threading.Event()
        self._abandoned = False
        self._thread: threading.Thread | None = None

    def take(self, held: Iterable[Held]) -> None:
        """Hold messages from now on."""
        with self._lock:
            if not self._held:
                self._alive = time.monotonic()
            self._held.update((id(one), one) for one in held)
            if self._thread is None and not self._ended.is_set():
                self._thread = threading.Thread(target=self._keep, name="pacer SQS leases", daemon=True)
                self._thread.start()

    def release(self, held: Iterable[Held]) -> list[Held]:
        """Hold messages no longer; give those that were still held."""
        with self._lock:
            return [one for one in held if self._held.pop(id(one), None) is not None]

    def holds(self, held: Held) -> bool:
        """Say whether a message is still in our hand."""
        return id(held) in self._held

    def check(self) -> None:
        """Raise where all that is held may be somebody else's by now: this process stood still."""
        # What that round left out was hidden half a pause before it at most.
        if self._held and time.monotonic() - self._alive > self._place.visibility - self._pause / 2:
            raise RecoverableConnectionError(
                f"SQS has heard nothing of us for {self._place.visibility} s: what was in hand is others' now"
            )

    def give_back(self, held: Sequence[Held]) -> None:
        """Show messages to everybody again."""
        released = self.release(held)
        if not self._abandoned:
            self._hide(released, 0)

    def abandon(self) -> None:
        """Say nothing more: SQS is away, or takes us for away, and shows all of it when its time is over."""
        self._abandoned = True
        self._ended.set()

    def close(self) -> None:
        """End; what is still held is shown again."""
        self._ended.set()
        self.give_back(list(self._held.values()))

    def _keep(self) -> None:
        while not self._ended.wait(self._pause):
            began = time.monotonic()
            with self._lock:
                due = [one for one in self._held.values() if began - one.since >= self._pause / 2]
            try:
                lost = self._hide(due, self._place.visibility)
            except Exception as error:
                # Whatever it is: without this thread everything would be others' in a moment.
                if self._ended.is_set():
                    return
                log.warning("what is in hand cannot be kept: %s", error)
                if time.monotonic() - self._alive > self._place.visibility:
                    self._failed(error)
                continue
            for one in due:
                one.since = began
            self._alive = began
            if lost := self.release([one for one in lost if not one.ending]):
                log.warning(
                    "%d messages of %s went to somebody else while in hand: this process stood still, or "
                    "they were in hand for longer than the 12 hours of SQS",
                    len(lost),
                    ", ".join(sorted({one.queue.name for one in lost})),
                )

    def _hide(self, held: Sequence[Held], seconds: int) -> list[Held]:
        """Hide messages for so long; give those that are not ours any more.

        Several requests go at once: thousands of messages, one request after another, would take longer than
        they are hidden.
        """
        requests = [
            some for _, those in groupby(sorted(held, key=_url), key=_url) for some in batches(list(those))
        ]
        if len(requests) == 1:
            return self._hide_some(requests[0], seconds)
        answers = self._executor.map(lambda some: self._hide_some(some, seconds), requests)
        return [one for answer in answers for one in answer]

    def _hide_some(self, some: Sequence[Held], seconds: int) -> list[Held]:
        """Hide at most ten messages of one queue."""
        try:
            failed = self._place.client.hide(some[0].queue.url, [one.handle for one in some], seconds)
        except QueueGone:
            return list(some)
        return [some[place] for place, (ours, _) in failed.items() if ours]


def _url(held: Held) -> str:
    return held.queue.url
