"""Who may consume alone: a claim on a queue, which one connection has at a time, on whatever host.

SQS knows no locks; but of a FIFO queue, a group with a message in somebody's hand is closed to everybody
else. So a claim is a queue of its own, ``NAME.lock.fifo``, with one group: who holds a message of it has the
claim, and loses it with the process. That there may be more than one message in it, where two have put one
there at once, does no harm.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from amqp.exceptions import RecoverableConnectionError

from pacer_channel import Queue
from pacer_sqs.client import QueueGone
from pacer_sqs.place import Place, SqsQueue

log = logging.getLogger("pacer.transport")

_GROUP = "lock"
_LONGEST = 10 * 3600  # seconds; SQS lets a message be in one hand for 12 hours
_WORN = 7 * 24 * 3600  # seconds; SQS drops a message after 14 days, in somebody's hand or not


class Claim:
    """The claim of one connection on one queue."""

    def __init__(self, place: Place, queue: SqsQueue) -> None:
        self._place = place
        stem = queue.name.removesuffix(".fifo")
        self._lock = place.declare_queue(Queue(f"{stem}.lock.fifo"))
        self._handles: list[str] = []
        self._since = self._until = 0.0
        self._worn = False

    @property
    def held(self) -> bool:
        """Whether it is ours; without a sign of life it ends before SQS gives it to somebody else."""
        return bool(self._handles) and time.monotonic() < self._until

    @property
    def expired(self) -> bool:
        """Whether it was ours, and nothing was heard of us for too long."""
        return bool(self._handles) and not self.held

    def take(self, wait: int) -> bool:
        """Try to get it, waiting so many seconds; tell whether it is ours."""
        if self._receive(wait):
            return True
        told = self._place.client.attributes(
            self._lock.url, "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"
        )
        if any(int(number) for number in told.values()):
            return False
        self._put()
        return self._receive(1)

    def _put(self) -> None:
        # The same id from all who do it now: SQS keeps one of them.
        number = f"{int(time.time()) // 60}"
        entry = {"MessageBody": "-", "MessageGroupId": _GROUP, "MessageDeduplicationId": number}
        self._place.client.send(self._lock.url, [entry])

    def _receive(self, wait: int) -> bool:
        began = time.monotonic()
        got = self._place.client.receive(self._lock.url, 10, wait, self._place.visibility)
        if not got:
            return False
        oldest = min(int(one.get("Attributes", {}).get("SentTimestamp", 0)) for one in got) / 1000
        self._worn = time.time() - oldest > _WORN
        if self._worn:  # it would vanish one day in somebody's hand: there is a new one for the next
            self._put()
        self._handles = [str(one["ReceiptHandle"]) for one in got]
        self._since, self._until = began, began + self._place.visibility
        return True

    def keep(self) -> None:
        """Give a sign of life.

        Raises
        ------
        RecoverableConnectionError
            Where it is not ours any more, or has been for as long as SQS allows.
        """
        began, handles = time.monotonic(), self._handles
        if not handles:
            return
        if began - self._since > _LONGEST:
            raise RecoverableConnectionError(f"{self._lock.name} has been ours for as long as SQS allows")
        if self._place.client.hide(self._lock.url, handles, self._place.visibility) and self._handles:
            raise RecoverableConnectionError(f"{self._lock.name} has gone to somebody else")
        self._until = began + self._place.visibility

    def release(self) -> None:
        """Let others have it."""
        handles, self._handles = self._handles, []
        if not handles:
            return
        if self._worn:
            self._place.client.delete(self._lock.url, handles)
        else:
            self._place.client.hide(self._lock.url, handles, 0)


class Claims:
    """The claims of one connection: asked for one after another, so that queues change hands together."""

    def __init__(
        self, place: Place, changed: Callable[[], None], failed: Callable[[Exception], None]
    ) -> None:
        self._place, self._changed, self._failed = place, changed, failed
        self._claims: dict[str, Claim] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def has(self, queue: str) -> bool:
        """Say whether the claim on a queue is ours."""
        claim = self._claims.get(queue)
        return claim is not None and claim.held

    def check(self) -> None:
        """Raise where a claim that was ours has ended; its thread may still be waiting for an answer."""
        for queue, claim in list(self._claims.items()):
            if claim.expired:
                raise RecoverableConnectionError(f"the claim on {queue} has ended: nothing was heard of us")

    def want(self, queue: SqsQueue) -> None:
        """Ask for the claim on a queue, until it is ours; at once where those before it are."""
        claim = Claim(self._place, queue)
        if all(one.held for one in self._claims.values()) and claim.take(0):
            log.info("%s is ours to consume", queue.name)
        self._add(queue.name, claim)

    def take(self, queue: SqsQueue) -> bool:
        """Ask for the claim on a queue once; tell whether it is ours."""
        claim = Claim(self._place, queue)
        if not claim.take(1):
            return False
        self._add(queue.name, claim)
        return True

    def _add(self, queue: str, claim: Claim) -> None:
        with self._lock:
            self._claims.setdefault(queue, claim)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="pacer SQS claims", daemon=True)
                self._thread.start()

    def give_up(self, queue: str) -> None:
        """Let others have the claim on a queue."""
        with self._lock:
            claim = self._claims.pop(queue, None)
        if claim is not None:
            claim.release()

    def abandon(self) -> None:
        """Say nothing more: SQS gives them to others when their time is over."""
        self._ended.set()
        self._claims.clear()

    def close(self) -> None:
        """Let others have all of them."""
        self._ended.set()
        for queue in list(self._claims):
            self.give_up(queue)

    def _run(self) -> None:
        pause = self._place.visibility / 3
        kept = time.monotonic()
        while not self._ended.is_set():
            try:
                if time.monotonic() - kept >= pause:
                    kept = time.monotonic()
                    for claim in [one for one in self._claims.values() if one.held]:
                        claim.keep()
                if not self._advance():
                    self._ended.wait(max(0.05, min(pause, kept + pause - time.monotonic())))
            except Exception as error:
                if not self._ended.is_set():
                    self._failed(error)
                return

    def _advance(self) -> bool:
        """Ask for the first claim that is not ours; tell whether there was one to ask for."""
        self.check()
        for queue, claim in list(self._claims.items()):
            if claim.held:
                continue
            wait = max(1, min(self._place.poll, self._place.visibility // 3))
            try:
                mine = claim.take(wait)
            except QueueGone:
                self._claims.pop(queue, None)
                return False
            if mine:
                with self._lock:
                    ours = self._claims.get(queue) is claim
                if ours:
                    log.info("%s is ours to consume", queue)
                    self._changed()
                else:  # given up while SQS was asked
                    claim.release()
            return True
        return False
