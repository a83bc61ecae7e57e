"""The thread of an owner: it renews the lease, hears calls, and dead-letters what is due.

It sleeps on a subscription: Redis calls an owner for whom something has come, and everybody when a message
falls due sooner than any before it. One owner of all sweeps at a time, by a lease of its own. Each renewal
also looks, so that a call that was lost costs a third of a lease and no message.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from attrs import define, field

from pacer_channel import LocalWaker
from pacer_redis.failures import as_lost, lost_lease
from pacer_redis.scripts import Scripts

log = logging.getLogger("pacer.transport")


@define(eq=False)
class Keeper:
    """Keeps one owner alive, from `start` until `stop`, or until Redis does not answer for a lease."""

    scripts: Scripts
    owner: str
    lease: float
    waker: LocalWaker
    sweep: Callable[[], bool]
    """Dead-letters some of what is due, and tells whether there was any."""
    ended: Callable[[list[bytes]], None]
    """Told which queues have lost consumers with a dead owner."""

    _trouble: Exception | None = field(default=None, init=False)
    _deadline: float = field(default=0.0, init=False)
    _renew: float = field(default=0.0, init=False)
    _due: float | None = field(default=None, init=False)  # by the monotonic clock, where it is ours to sweep
    _sweeps: bool = field(default=False, init=False)
    _offset: float = field(default=0.0, init=False)  # Redis' clock minus the monotonic one, in seconds
    _stopped: bool = field(default=False, init=False)
    _calls: Any = field(default=None, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    def start(self) -> None:
        """Become an owner, and be one until stopped."""
        with as_lost(self.scripts.broker):
            self._calls = self.scripts.client.pubsub(ignore_subscribe_messages=False)
            self._calls.subscribe(f"{self.scripts.key}:wake:{self.owner}", f"{self.scripts.key}:sweep")
            for _ in range(2):  # heard from now on
                self._calls.get_message(timeout=self.lease)
        self._enter(new=True)
        self._thread = threading.Thread(target=self._run, name="pacer redis", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise where the lease may be over; it asks nobody.

        Raises
        ------
        amqp.exceptions.RecoverableConnectionError
            Where it is, or the thread has met its end.
        """
        if self._trouble is not None:
            raise self._trouble
        if time.monotonic() > self._deadline:
            raise lost_lease(self.scripts.broker)

    def stop(self) -> None:
        """End the thread; the owner stays until its lease is over, or `leave`."""
        self._stopped = True
        connection = getattr(self._calls, "connection", None)
        if connection is not None:
            connection.disconnect()  # what waits in it ends
        if self._thread is not None:
            self._thread.join()
            self._calls.close()

    def _run(self) -> None:
        try:
            while not self._stopped:
                now = time.monotonic()
                if now >= self._renew:
                    self._enter(new=False)
                    self.waker.wake()
                elif self._due is not None and now >= self._due:
                    if not self.sweep():  # or there may be more; the lease is renewed in between
                        self._enter(new=False)  # tells what is due next
                else:
                    until = self._renew if self._due is None else min(self._renew, self._due)
                    self._hear(max(0.001, until - now))
        except Exception as error:
            # Whatever it is: without this thread the lease runs out. Who waits is woken, and told.
            if not self._stopped:
                log.debug("the lease of %s is not renewed any more", self.scripts.broker, exc_info=True)
                self._trouble = error
                self.waker.wake()

    def _enter(self, *, new: bool) -> None:
        begun = time.monotonic()
        milliseconds = int(self.lease * 1000)
        now, due, sweeps, consumed = self.scripts.run("enter", self.owner, milliseconds, int(new))
        self._deadline = begun + self.lease  # Redis counts from a moment later
        self._renew = begun + self.lease / 3
        self._offset = now / 1000 - time.monotonic()
        self._sweeps = bool(sweeps)
        self._due = due / 1000 - self._offset if due >= 0 and sweeps else None
        if consumed:
            self.ended(consumed)

    def _hear(self, seconds: float) -> None:
        with as_lost(self.scripts.broker):
            call = self._calls.get_message(timeout=seconds)
        if call is None or call["type"] != "message":
            return
        if not call["channel"].endswith(b":sweep"):
            self.waker.wake()
        elif call["data"] == b"0":  # who swept has left
            self._renew = 0.0
        elif self._sweeps:
            due = int(call["data"]) / 1000 - self._offset
            self._due = due if self._due is None else min(self._due, due)
