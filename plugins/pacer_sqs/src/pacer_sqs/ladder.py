"""Queues whose messages wait: SQS delays each, and a thread brings it where its queue's dead letters go.

SQS delays a message by 15 minutes at most: what has longer to wait is hidden once more when it shows itself,
for what is left, by up to eleven hours at a time. A message is moved by sending it to its next queue first,
and ending it here afterwards. Any process that has declared such a queue moves its messages; what one leaves
half done another does again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from amqp.exceptions import AMQPError, PreconditionFailed

from pacer_channel import DEFAULT, EXPIRED, Outgoing, encode_properties, note_death
from pacer_sqs.client import BATCH, QueueGone
from pacer_sqs.hand import Held
from pacer_sqs.place import Place, SqsQueue
from pacer_sqs.receiving import receive
from pacer_sqs.sending import Parcel, parcel, send

log = logging.getLogger("pacer.transport")

_LONGEST = 11 * 3600  # seconds; SQS hides a message in one hand for 12 hours
_TRY_AGAIN = 5  # seconds until a message that no queue takes is tried once more
_PAUSE = 5.0  # seconds after an error


class Ladder:
    """The threads of one process that move what has waited in the queues of a place."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._threads: dict[str, threading.Thread] = {}
        self._users = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def join(self) -> None:
        """One connection more uses it."""
        with self._lock:
            self._users += 1
            self._ended.clear()
            for queue in list(self._place.topology.queues.values()):
                self._start(queue)

    def leave(self) -> None:
        """One connection less uses it; with the last one its threads end."""
        with self._lock:
            self._users -= 1
            if not self._users:
                self._ended.set()
                self._ended = threading.Event()
                self._threads.clear()

    def watch(self, queue: SqsQueue) -> None:
        """Move what has waited in a queue, as long as there are users."""
        with self._lock:
            if self._users:
                self._start(queue)

    def _start(self, queue: SqsQueue) -> None:
        if queue.ttl is None or queue.name in self._threads:
            return
        self._threads[queue.name] = threading.Thread(
            target=self._run, args=(queue, self._ended), name=f"pacer SQS {queue.name}", daemon=True
        )
        self._threads[queue.name].start()

    def _gone(self, queue: SqsQueue) -> None:
        """Make room for another thread: whoever publishes there next declares the queue anew."""
        with self._lock:
            if self._threads.get(queue.name) is not threading.current_thread():
                return
            del self._threads[queue.name]
            with self._place.lock:
                there = self._place.topology.queues.get(queue.name)
                if there is queue:
                    self._place.forget(queue.name)
                elif there is not None:  # declared anew already, while this thread had the name
                    self._start(there)

    def _run(self, queue: SqsQueue, ended: threading.Event) -> None:
        trouble = ""
        while not ended.is_set():
            try:
                held = receive(self._place, queue, BATCH, self._place.poll)
                if held:
                    move(self._place, queue, held)
                trouble = ""
            except QueueGone:
                self._gone(queue)
                return
            except Exception as error:
                # SQS is away, or refuses: without this thread no retry would ever fall due.
                if str(error) != trouble and not ended.is_set():
                    trouble = str(error)
                    log.warning("what waits in %s cannot be moved: %s; it is tried again", queue.name, error)
                ended.wait(_PAUSE)


def move(place: Place, queue: SqsQueue, held: Sequence[Held]) -> None:
    """Bring those whose time has come to their next queues, and hide the others until theirs comes."""
    now = int(time.time() * 1000)
    due = [one for one in held if one.message.due <= now]
    for one in held:
        if one.message.due > now:
            _hide(place, queue, [one], min(_LONGEST, -(-(one.message.due - now) // 1000)))
    moved, kept = bury(place, queue, due, EXPIRED)
    if moved:
        place.client.delete(queue.url, [one.handle for one in moved])
        end_bodies(place, moved)
    if kept:
        _hide(place, queue, kept, _TRY_AGAIN)


def _hide(place: Place, queue: SqsQueue, held: Sequence[Held], seconds: int) -> None:
    place.client.hide(queue.url, [one.handle for one in held], seconds)


def bury(place: Place, queue: SqsQueue, held: Sequence[Held], reason: str) -> tuple[list[Held], list[Held]]:
    """Send what is dead in a queue where its dead letters go; give what may end here, and what is to stay.

    Without a dead-letter exchange, or where no queue takes it, it just ends, unless the queue keeps dead
    letters.
    """
    exchange = queue.dead_letter_exchange
    if exchange is None:
        return list(held), []
    parcels: list[Parcel] = []
    kept: set[int] = set()
    for number, one in enumerate(held):
        found = dead_letter(queue, one, reason)
        try:
            targets = place.targets(found)
            parcels.extend([_parcel(place, number, one, found, target) for target in targets])
        except AMQPError as error:
            log.warning("a dead letter of %s finds no way: %s", queue.name, error)
            targets = ()
        if not targets and queue.keeps_dead_letters:
            kept.add(number)
    refused = send(place, parcels)
    for number, why in refused.items():
        log.warning("a dead letter of %s is refused: %s", queue.name, why)
        kept.add(number)
    return (
        [one for number, one in enumerate(held) if number not in kept],
        [one for number, one in enumerate(held) if number in kept],
    )


def _parcel(place: Place, number: int, held: Held, letter: Outgoing, target: SqsQueue) -> Parcel:
    """Make a dead letter ready; where what it tells of its death is too much for SQS, as it came.

    The attribute of ours may be too much for a message of another program: that goes without any then.
    """
    came = held.message
    try:
        return parcel(place, number, letter, target)
    except PreconditionFailed as error:
        log.warning("a dead letter for %s says nothing of its death: %s", target.name, error)
    as_it_came = Outgoing(
        came.exchange, came.routing_key, came.properties, encode_properties(came.properties), came.body
    )
    try:
        return parcel(place, number, as_it_came, target)
    except PreconditionFailed:
        return parcel(place, number, as_it_came, target, bare=True)


def dead_letter(queue: SqsQueue, held: Held, reason: str) -> Outgoing:
    """Give what becomes of a message that is dead in a queue."""
    message = held.message
    now = int(time.time() * 1000)
    properties = note_death(
        message.properties, queue.name, reason, message.exchange, message.routing_key, now
    )
    key = queue.arguments.get("x-dead-letter-routing-key", message.routing_key)
    return Outgoing(
        queue.dead_letter_exchange or DEFAULT, key, properties, encode_properties(properties), message.body
    )


def end_bodies(place: Place, held: Sequence[Held]) -> None:
    """Remove the bodies in S3 of messages that have ended."""
    if place.bodies is not None and (keys := [one.body_key for one in held if one.body_key is not None]):
        place.bodies.remove(keys)


_LADDERS: dict[Place, Ladder] = {}
_OPENING = threading.Lock()


def ladder_of(place: Place) -> Ladder:
    """Give what moves the messages of a place; one for all connections of this process."""
    with _OPENING:
        if place not in _LADDERS:
            _LADDERS[place] = Ladder(place)
        return _LADDERS[place]
