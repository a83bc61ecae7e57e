"""Receiving: one thread for each queue that is consumed, which asks SQS for as many messages as are wanted.

It waits in a long poll, and asks for nothing while nothing is wanted; while there are more messages than one
request gives, a few other threads ask as well. What it gets is in our hand, and is fetched by the
connection's own thread.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from amqp.exceptions import RecoverableConnectionError

from pacer_channel import HEADERS
from pacer_sqs import wire
from pacer_sqs.client import BATCH, QueueGone
from pacer_sqs.hand import Hand, Held
from pacer_sqs.large import BodyGone
from pacer_sqs.place import Place, SqsQueue
from pacer_sqs.sending import ONE_GROUP

log = logging.getLogger("pacer.transport")

_HELPERS = 4
_FIRST_POLL = 1  # seconds; each empty one doubles it, so that what has just begun ends soon


def receive(place: Place, queue: SqsQueue, most: int, wait: int) -> list[Held]:
    """Take at most so many messages of a queue, waiting for them so many seconds.

    Raises
    ------
    QueueGone
        Where the queue is not there any more.
    RecoverableConnectionError
        Where SQS does not answer.
    """
    began = time.monotonic()
    found = place.client.receive(queue.url, most, wait, place.visibility)
    held = [_held(place, queue, one, began) for one in found]
    return [one for one in held if one is not None]


def _held(place: Place, queue: SqsQueue, message: dict[str, Any], began: float) -> Held | None:
    body, key = str(message["Body"]), None
    if place.bodies is not None:
        try:
            where = place.bodies.key(message)
            if where is not None:
                # Only what was read goes with its message: the other object may be all that is left of it.
                body, key = place.bodies.fetch(where), where
        except BodyGone as error:
            log.warning(
                "the body of message %s in %s cannot be had: %s", message["MessageId"], queue.name, error
            )
        except RecoverableConnectionError as error:
            log.warning("message %s of %s has to wait: %s", message["MessageId"], queue.name, error)
            return None
    read = wire.read(message, queue.name, body)
    told = message.get("Attributes", {})
    group = told.get("MessageGroupId", ONE_GROUP)
    header = place.options.group_header
    if queue.fifo and group != ONE_GROUP and header not in (read.properties.get(HEADERS) or {}):
        read.properties[HEADERS] = {**(read.properties.get(HEADERS) or {}), header: group}
    again = int(told.get("ApproximateReceiveCount", 1)) > 1
    return Held(queue, str(message["ReceiptHandle"]), read, again, began, key)


class Receiver:
    """What brings the messages of one queue to one connection."""

    def __init__(
        self,
        place: Place,
        queue: SqsQueue,
        hand: Hand,
        executor: Executor,
        wake: Callable[[], None],
        failed: Callable[[Exception], None],
        allowed: Callable[[], bool],
    ) -> None:
        self.queue = queue
        self.gone = False
        """Whether the queue is not there any more."""
        self._place, self._hand, self._executor = place, hand, executor
        self._wake, self._failed, self._allowed = wake, failed, allowed
        self._buffer: deque[Held] = deque()
        self._wanted = self._asked = self._helpers = 0
        self._changed = threading.Condition()
        self._ended = False
        self._poll = _FIRST_POLL
        # Not a daemon: a request that is on its way when the process ends may get messages, which nobody
        # would have until their time is over.
        self._thread = threading.Thread(target=self._run, name=f"pacer SQS {queue.name}")
        self._thread.start()

    def want(self, number: int) -> None:
        """Say how many messages may be fetched, beyond those that have been."""
        with self._changed:
            self._wanted = number
            self._changed.notify_all()

    def fetch(self, most: int) -> list[Held]:
        """Give what is there."""
        with self._changed:
            taken = [self._buffer.popleft() for _ in range(min(most, len(self._buffer)))]
            self._wanted -= len(taken)
            self._changed.notify_all()
        return [one for one in taken if self._hand.holds(one)]

    def resume(self) -> None:
        """Look again whether it is allowed."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Ask for no more, and show what nobody has fetched to others."""
        with self._changed:
            self._ended = True
            left = list(self._buffer)
            self._buffer.clear()
            self._changed.notify_all()
        self._hand.give_back(left)

    def _room(self) -> int:
        return self._wanted - len(self._buffer) - self._asked

    def _reserve(self) -> int:
        """Wait until something is wanted; give how much to ask for, 0 at the end."""
        with self._changed:
            while not self._ended and threading.main_thread().is_alive():
                room = self._room()
                if room > 0 and self._allowed():
                    number = min(BATCH, room)
                    self._asked += number
                    return number
                self._changed.wait(5.0)
            return 0

    def _run(self) -> None:
        while number := self._reserve():
            try:
                came = self._ask(number, min(self._poll, self._place.poll))
            except QueueGone:
                self.gone = True
                self._wake()
                return
            except Exception as error:
                self._failed(error)
                return
            self._poll = _FIRST_POLL if came else min(self._poll * 2, self._place.poll)
            if came == number:
                self._call_helpers()

    def _ask(self, number: int, wait: int) -> int:
        """Ask once; give how many came."""
        try:
            held = receive(self._place, self.queue, number, wait)
        finally:
            with self._changed:
                self._asked -= number
        self._hand.take(held)
        with self._changed:
            ended = self._ended
            if not ended:
                self._buffer.extend(held)
        if ended or not threading.main_thread().is_alive():
            self._hand.give_back(held)
        elif held:
            self._wake()
        return len(held)

    def _call_helpers(self) -> None:
        """Have others ask as well; a FIFO queue gives its groups in order to one who asks alone."""
        if self.queue.fifo:
            return
        with self._changed:
            while not self._ended and self._helpers < min(_HELPERS, self._room() // BATCH):
                self._helpers += 1
                self._executor.submit(self._help)

    def _help(self) -> None:
        try:
            while True:
                with self._changed:
                    number = min(BATCH, self._room())
                    if number <= 0 or self._ended:
                        return
                    self._asked += number
                if self._ask(number, 0) < number:
                    return
        except QueueGone:
            return  # the others see it as well
        except Exception as error:
            self._failed(error)
        finally:
            with self._changed:
                self._helpers -= 1
