"""One subscription: messages are read and handled until there is a reason to give back what is in hand."""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from attrs import define

from pacer_core.config.model import Config, ConsumerPlan
from pacer_core.observe.board import Board
from pacer_core.observe.metrics import State
from pacer_core.transport.consume import Subscription, Waker
from pacer_core.transport.delivery_limits import Limit
from pacer_core.transport.signing import Trust
from pacer_core.work.breakers import Breakers
from pacer_core.work.in_flight import InHand
from pacer_core.work.os_signals import Stopped
from pacer_core.work.remaining import Remaining

log = logging.getLogger("pacer.worker")

HOLD = 900.0
"""Seconds that a message may wait in hand: half of RabbitMQ's consumer timeout, which closes the channel."""
GLANCE = 0.05
"""Seconds between looks at what threads have finished, should none of them call."""


@define(eq=False)
class Reading:
    """Reads the queues of a worker, one subscription after another; what a worker is made of is its own.

    Attributes
    ----------
    queues
        The names of the queues to read.
    priorities
        At which priority it reads those that go to whoever wants them most.
    believe
        Says which copies' state is taken for ours.
    inline
        Whether tasks run in this thread, and may take their time.
    keyed
        Whether messages have keys: then one process alone reads.
    remaining
        Looks whether anything is left, where reading ends with that.
    replace
        Asks for another process in place of this one, and says why.
    end_if_damaged
        Ends this process where a task has damaged it.
    """

    config: Config
    plans: Sequence[ConsumerPlan]
    queues: Collection[str]
    priorities: Mapping[str, int]
    in_hand: InHand
    believe: Trust
    breakers: Breakers
    board: Board
    waker: Waker
    stopped: Stopped
    inline: bool
    keyed: bool
    remaining: Remaining | None
    replace: Callable[[str], None]
    end_if_damaged: Callable[[], None]
    aside: int = 0
    """How many messages were left in their queue, although their tasks have run; see `set_aside`."""

    def run(self, connection: Any, limits: Sequence[Limit]) -> bool:
        """Read messages until there is a reason to give back what is in hand; say whether that is the end.

        ``limits`` are those of queues that may drop what is returned often.
        """
        while self.remaining is None and self.breakers.paused(self.plans) and not self.stopped:
            self.board.state(State.PAUSED)
            # Reading takes the broker's heartbeats in; nothing is subscribed, so nothing else comes.
            with contextlib.suppress(socket.timeout):
                connection.drain_events(timeout=0.5)
            connection.heartbeat_check()
        queues = [self.config.queue(name) for name in self.queues]
        prefetch = max(plan.prefetch for plan in self.plans)
        grace = self.config.processes.shutdown_grace.total_seconds()
        subscription: Subscription | None = None
        self.in_hand.open(connection)
        self.in_hand.begin(limits, threads=not self.inline)
        if self.inline and any(one.quorum is not False for one in limits):
            prefetch = 1  # what one thread has not looked at while it works would be returned unseen
        try:
            subscription = Subscription(
                connection,
                queues,
                prefetch,
                self.in_hand.arrive,
                exclusive=self.keyed,
                believe=self.believe,
                priorities=self.priorities,
            )
            self.board.state(State.READING)
            log.info("reading %s", ", ".join(self.queues))
            ended = self._pump(connection, subscription, prefetch)
            if self.stopped:
                self.board.state(State.STOPPING)
                log.info("%s: stopping", self.stopped.by)
            deadline = time.monotonic() + grace
            self._finish(subscription, deadline)
        except BaseException:
            self.end_if_damaged()
            if subscription is not None:
                subscription.abandon()
            self.in_hand.end(grace)
            raise
        self.aside, _ = self.in_hand.aside
        self.in_hand.end(max(0.0, deadline - time.monotonic()))
        self.in_hand.acknowledge()
        subscription.close()
        return ended

    def _pump(self, connection: Any, subscription: Subscription, prefetch: int) -> bool:
        heartbeat = self.config.broker.beat
        wait = min(heartbeat, 0.1 if self.remaining is not None else 1.0)
        beat = look = time.monotonic()
        room = prefetch
        if self.remaining is not None:
            self.remaining.begin()
        while not self.stopped:
            glance = min(wait, GLANCE) if self.in_hand else wait
            wait_for = 0.0 if self.in_hand.pressing else glance
            if self.in_hand.heavy and time.monotonic() < beat:  # what is read nonetheless brings heartbeats
                self.waker.wait(wait_for)
            else:
                subscription.poll(self.waker, wait_for)
            now = time.monotonic()
            if now >= beat:  # after reading: a task may have taken longer than the broker may be silent
                subscription.heartbeat()
                beat = now + heartbeat
            self.in_hand.work()
            if self.in_hand.failure is not None:
                raise self.in_hand.failure
            now = time.monotonic()
            if now >= look:
                look = now + 1.0
                if self._should_give_back(now):
                    return False
                if not self.keyed and self.in_hand.full(room):
                    subscription.widen()
                    room += prefetch
            if self.remaining is not None and self.remaining.nothing(connection, self.in_hand):
                return True
        return True

    def _finish(self, subscription: Subscription, deadline: float) -> None:
        """Handle what is in hand, so that as little as can be is returned: queues count returns.

        Not with keys, where the next process would begin as soon as this one takes no more; nor in a process
        that has to be replaced.
        """
        if self.keyed or self.stopped.code:
            return
        subscription.cancel()
        beat = time.monotonic()
        while self.in_hand and not self.stopped.code and (now := time.monotonic()) < deadline:
            subscription.poll(self.waker, 0.0 if self.in_hand.pressing else GLANCE)
            if now >= beat:
                subscription.heartbeat()
                beat = now + self.config.broker.beat
            self.in_hand.work()
            if self.in_hand.failure is not None:
                raise self.in_hand.failure
            self._give_up_overdue(now)

    def _should_give_back(self, now: float) -> bool:
        """Look for tasks that do not end, messages that wait too long, and systems that are away."""
        self._give_up_overdue(now)
        if self.in_hand.age(now) > HOLD:
            log.info("giving messages back before the broker takes them: the oldest waited %g s", HOLD)
            return True
        return self.remaining is None and self.breakers.paused(self.plans)

    def _give_up_overdue(self, now: float) -> None:
        """Settle messages whose tasks do not end, and ask to be replaced."""
        for job in self.in_hand.overdue(now):
            log.error(
                "a task of %s has not ended in %g s; this worker is replaced", job.plan.name, job.time_limit
            )
            self.in_hand.give_up(job)
            self.replace("a task that does not end")
