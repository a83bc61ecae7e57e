"""One process: reads the queues of some consumers, has their messages handled, and acknowledges.

The connection's thread, which calls `Worker.run`, reads messages, parses them, works out their keys, and
acknowledges. With several threads the lanes run the tasks; with one, the connection's thread does.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import amqp
from attrs import frozen

from pacer_core.config.model import Config, ConsumerPlan
from pacer_core.model.errors import BrokerError
from pacer_core.model.messages import Delivery, Outcome
from pacer_core.model.secrets import Clean, redact, screen
from pacer_core.model.wording import counted
from pacer_core.observe.metrics import Board, State, shape
from pacer_core.observe.progress import Minutes
from pacer_core.pipeline.spans import Traces
from pacer_core.transport.advice import advice_for
from pacer_core.transport.connection import connect, hang_up, name_of
from pacer_core.transport.consume import StandBy, Subscription, Waker
from pacer_core.transport.delivery_limits import Limit, limits
from pacer_core.transport.forward import Forwarder
from pacer_core.transport.publish import Publisher
from pacer_core.transport.retry_policy import LADDER
from pacer_core.transport.settle import Settler
from pacer_core.transport.signing import Trust, signer_for
from pacer_core.transport.topology import declare, retry_exchange
from pacer_core.work.breakers import Breakers
from pacer_core.work.clients import OpenIntegrations
from pacer_core.work.crashes import Counts, Notes
from pacer_core.work.handling import Handler
from pacer_core.work.in_flight import InHand, Observer
from pacer_core.work.notifier import Listeners
from pacer_core.work.os_signals import Stopped

log = logging.getLogger("pacer.worker")

BACKOFF = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds between attempts to reach a broker; the last one repeats."""
HOLD = 900.0
"""Seconds that a message may wait in hand: half of RabbitMQ's consumer timeout, which closes the channel."""
GLANCE = 0.05
"""Seconds between looks at what threads have finished, should none of them call."""
STAND_BY = 5.0
"""Seconds between attempts to read queues that another process reads exclusively."""
EX_STUCK = 75
"""The exit code of a worker that wants to be replaced: a task does not end, or finds no memory."""
EX_HUNG = 70
"""The exit code of a worker that hangs in a parser, or its only thread in a task: a crash of that message."""
_QUIET = 1.0  # seconds between the two looks that find every queue empty
_LATE = 0.2  # seconds after which the broker's answer about a queue may be none

_LOST = (
    amqp.exceptions.AMQPError,
    OSError,
    AttributeError,
)  # AttributeError: py-amqp's, on a dead connection


@frozen
class CrashFiles:
    """Where a worker notes what it works on and counts what it did, and finds what was in a crash."""

    notes: Path
    counts: Path
    board: Path


class Worker:
    """Runs some consumers of a configuration in this process until `stop`, or until nothing is left.

    Parameters
    ----------
    config, plans
        The configuration, and those of its consumers that run here.
    observe
        Called with each settled delivery, in the thread that settled it.
    inline
        Run tasks in the connection's thread, whatever the configuration says, and let them take their time:
        somebody may be looking at them in a debugger.
    crash_files
        Given by the supervisor; without them crashes are not counted.
    """

    def __init__(
        self,
        config: Config,
        plans: Sequence[ConsumerPlan],
        *,
        observe: Observer | None = None,
        inline: bool = False,
        crash_files: CrashFiles | None = None,
    ) -> None:
        self._config, self._plans, self._observe = config, tuple(plans), observe
        self._by_queue = {queue: plan for plan in plans for queue in plan.config.queues}
        self._inline = inline
        self._threads = 1 if inline else max(plan.config.concurrency for plan in plans)
        self._keyed = any(plan.pipeline.type.key is not None for plan in plans)
        self._integrations = OpenIntegrations()
        self.board = Board(shape(config, plans), crash_files.board if crash_files is not None else None)
        """What is seen of this worker from outside."""
        self._publisher = Publisher(config.broker, self.board.confirmed)
        self._listeners = Listeners(config, plans, self._integrations, self.board.lost)
        self._breakers = Breakers(plans, self._integrations.client)
        self._forwarder = Forwarder(config.routes, config.recipients, config.exchanges, config.route_message)
        self._traces = Traces() if config.tracing.enabled else None
        self._notes = Notes(crash_files.notes) if crash_files is not None else None
        self._signer = signer_for(config)
        self._trust = Trust(self._signer, self.board.state_dropped)
        self._settler = Settler(config, self._publisher, self._declare, self._signer)
        self._handler = handler = Handler(
            self._by_queue,
            self._settler,
            self._integrations,
            self._breakers,
            self._forwarder,
            self._notes,
            Counts(crash_files.counts) if crash_files is not None else None,
            self._traces,
        )
        self._supervised = crash_files is not None
        self._waker = Waker()
        self._stopped = Stopped()
        self._ended = threading.Event()
        self._connection: Any = None
        self._awaited = 0
        self._limits: tuple[Limit, ...] = ()
        self._in_hand = InHand(
            handler,
            self._threads,
            self._integrations.close_thread,
            self._waker,
            self._settled,
            self._acknowledged,
            config.broker,
            self._signer,
        )
        self._once = self._wait = self._followed = False
        self.exit_code = 0
        self.aside = 0
        """How many messages were left in their queue, although their tasks have run; see `aside.Aside`."""
        self.delayed: set[tuple[str, str]] = set()
        """Consumer and correlation id of what waits for a retry; kept with ``once`` alone."""

    @property
    def outcomes(self) -> Counter[Outcome]:
        """How many messages were settled in which way; a retried one counts again when it comes back."""
        return self._in_hand.outcomes

    def stop(self, by: str = "asked to end") -> None:
        """Let what is in hand finish, give the rest back, and end; may be called from a signal handler."""
        self._stopped.stop(by)
        if self._notes is not None:
            self._notes.stopping()
        self._waker.wake()

    def run(self, *, once: bool = False, wait: bool = False) -> Counter[Outcome]:
        """Work until `stop`; with ``once``, until every queue is empty and nothing is in hand.

        With ``wait`` as well, until no copy waits for a retry either: at the whole virtual host, whose
        ladder does not tell them apart. A broker that goes away, or refuses what these consumers need, is
        awaited.

        Raises
        ------
        BrokerError
            With ``once``, where the broker cannot be reached, or refuses.
        """
        self._once, self._wait = once, wait
        threads = [
            threading.Thread(target=self._pulse, name="pulse", daemon=True),
            threading.Thread(target=self._breakers.probe, args=(self._ended,), name="probe", daemon=True),
            threading.Thread(target=self._show, name="show", daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            self._connect_and_consume()
        finally:
            self._ended.set()
            self.board.state(State.STOPPING)
            self._in_hand.close()
            self._publisher.close()
            self._forwarder.close()
            self._listeners.close()
            self._integrations.close_thread()
            self._integrations.close()
            self._listeners.hang_up()
            for thread in threads:
                thread.join(1.0)
            self._waker.close()
            if self._traces is not None:
                self._traces.close()
        return self.outcomes

    def _connect_and_consume(self) -> None:
        failures = 0
        while not self._stopped:
            settled = self.outcomes.total()
            try:
                self._connection = connection = connect(self._config.broker, "consumer")
            except BrokerError as error:
                if self._once:
                    raise
                failures = self._back_off(failures, error)
                continue
            try:
                declare(connection, self._config, self._plans)
                self._signer.ready()
                self._limits = limits(connection, self._config, self._by_queue)
                self._settler.dead_lettering(one.queue for one in self._limits if one.to_dead_queue)
                self._forwarder.here = name_of(connection, self._config.broker)
                if self._consume(connection):
                    return
                failures = 0
            except StandBy:
                self.board.state(State.STAND_BY)
                self._pause(STAND_BY)
            except BrokerError as error:
                if self._once:
                    raise
                failures = self._back_off(failures, error, State.REFUSED)
            except _LOST as error:
                self._end_if_damaged()
                # Only progress resets the backoff: what breaks the connection comes again at once.
                failures = self._back_off(0 if self.outcomes.total() > settled else failures, error)
            finally:
                self._connection = None
                hang_up(connection)

    def _declare(self) -> None:
        """Declare what is needed once more: somebody may have removed it."""
        connection = connect(self._config.broker, "declare")
        try:
            declare(connection, self._config, self._plans)
        finally:
            hang_up(connection)

    def _back_off(self, failures: int, error: Exception, state: State = State.DISCONNECTED) -> int:
        # An error of ours, or one that was made from it, names the broker or the queue.
        ours = isinstance(error, BrokerError) or isinstance(error.__cause__, BrokerError)
        said = (screen if ours else redact)(f"{error}" or type(error).__name__)
        why = said if ours else f"lost {self._config.broker}: {said}"
        if advice := advice_for(said, self._config.broker, "brokers.main"):
            why = f"{why}; {advice}"
        self.board.state(state, said if state is State.REFUSED else "")
        delay = BACKOFF[min(failures, len(BACKOFF) - 1)]
        log.warning("%s; again in %g s", Clean(why), delay)
        self._pause(delay)
        return failures + 1

    def _pause(self, seconds: float) -> None:
        """Do nothing for so long, unless told to stop."""
        deadline = time.monotonic() + seconds
        while not self._stopped and (left := deadline - time.monotonic()) > 0:
            self._waker.wait(left)

    # --- one subscription ------------------------------------------------------------------------

    def _consume(self, connection: Any) -> bool:
        """Read messages until there is a reason to give back what is in hand; say whether that is the end."""
        while not self._once and self._breakers.paused(self._plans) and not self._stopped:
            self.board.state(State.PAUSED)
            # Reading takes the broker's heartbeats in; nothing is subscribed, so nothing else comes.
            with contextlib.suppress(socket.timeout):
                connection.drain_events(timeout=0.5)
            connection.heartbeat_check()
        queues = [self._config.queue(name) for name in self._by_queue]
        prefetch = max(plan.config.prefetch_for(self._keyed) for plan in self._plans)
        grace = self._config.processes.shutdown_grace.total_seconds()
        subscription: Subscription | None = None
        self._in_hand.begin(self._limits, threads=not self._inline)
        if self._inline and any(one.quorum is not False for one in self._limits):
            prefetch = 1  # what one thread has not looked at while it works would be returned unseen
        try:
            subscription = Subscription(
                connection,
                queues,
                prefetch,
                self._in_hand.arrive,
                exclusive=self._keyed,
                believe=self._trust,
            )
            self.board.state(State.READING)
            log.info("reading %s", ", ".join(self._by_queue))
            ended = self._pump(connection, subscription, prefetch)
            if self._stopped:
                self.board.state(State.STOPPING)
                log.info("%s: stopping", self._stopped.by)
            deadline = time.monotonic() + grace
            self._finish(subscription, deadline)
        except BaseException:
            self._end_if_damaged()
            if subscription is not None:
                subscription.abandon()
            self._in_hand.end(grace)
            raise
        self.aside, _ = self._in_hand.aside
        self._in_hand.end(max(0.0, deadline - time.monotonic()))
        self._in_hand.acknowledge()
        subscription.close()
        return ended

    def _pump(self, connection: Any, subscription: Subscription, prefetch: int) -> bool:
        heartbeat = self._config.broker.heartbeat.total_seconds() / 4
        wait = min(heartbeat, 0.1 if self._once else 1.0)
        beat = look = time.monotonic()
        quiet_since: float | None = None
        room = prefetch
        while not self._stopped:
            glance = min(wait, GLANCE) if self._in_hand else wait
            wait_for = 0.0 if self._in_hand.pressing else glance
            if self._in_hand.heavy and time.monotonic() < beat:  # what is read nonetheless brings heartbeats
                self._waker.wait(wait_for)
            else:
                subscription.poll(self._waker, wait_for)
            now = time.monotonic()
            if now >= beat:  # after reading: a task may have taken longer than the broker may be silent
                subscription.heartbeat()
                beat = now + heartbeat
            self._in_hand.work()
            if self._in_hand.failure is not None:
                raise self._in_hand.failure
            now = time.monotonic()
            if now >= look:
                look = now + 1.0
                if self._should_give_back(now):
                    return False
                if not self._keyed and self._in_hand.full(room):
                    subscription.widen()
                    room += prefetch
            if self._once:
                # Looking what is left reads what has come meanwhile, and that is in hand then.
                if self._in_hand or self._something_left(connection) or self._in_hand:
                    quiet_since = None
                elif quiet_since is None or self._followed:
                    quiet_since, self._followed = now, False
                elif now - quiet_since >= _QUIET:
                    return True
        return True

    def _finish(self, subscription: Subscription, deadline: float) -> None:
        """Handle what is in hand, so that as little as can be is returned: queues count returns.

        Not with keys, where the next process would begin as soon as this one takes no more; nor in a process
        that has to be replaced.
        """
        if self._keyed or self.exit_code:
            return
        subscription.cancel()
        beat = time.monotonic()
        while self._in_hand and not self.exit_code and (now := time.monotonic()) < deadline:
            subscription.poll(self._waker, 0.0 if self._in_hand.pressing else GLANCE)
            if now >= beat:
                subscription.heartbeat()
                beat = now + self._config.broker.heartbeat.total_seconds() / 4
            self._in_hand.work()
            if self._in_hand.failure is not None:
                raise self._in_hand.failure
            self._give_up_overdue(now)

    def _should_give_back(self, now: float) -> bool:
        """Look for tasks that do not end, messages that wait too long, and systems that are away."""
        self._give_up_overdue(now)
        if self._in_hand.age(now) > HOLD:
            log.info("giving messages back before the broker takes them: the oldest waited %g s", HOLD)
            return True
        return not self._once and self._breakers.paused(self._plans)

    def _give_up_overdue(self, now: float) -> None:
        """Settle messages whose tasks do not end, and ask to be replaced."""
        for job in self._in_hand.overdue(now):
            log.error(
                "a task of %s has not ended in %g s; this worker is replaced", job.plan.name, job.time_limit
            )
            self._in_hand.give_up(job)
            self._replace("a task that does not end")

    def _end_if_damaged(self) -> None:
        """End at once where a task has closed this process's descriptors: that is a crash of its message."""
        if self._supervised and self._waker.damaged:
            end_damaged()

    def _replace(self, why: str) -> None:
        """End, and ask to be replaced."""
        self.exit_code = EX_STUCK
        self.stop(why)

    def _something_left(self, connection: Any) -> bool:
        """Say whether there is a message in the queues that are read here, or one that is awaited."""
        if _depth(connection, self._by_queue, read=True) != 0:
            return True
        waiting = _depth(connection, map(retry_exchange, LADDER), read=False) if self._wait else 0
        if waiting is None:
            return True
        if waiting != self._awaited:
            self._awaited = waiting
            verb = "waits" if waiting == 1 else "wait"
            log.info("%s %s for a retry", counted(waiting, "message"), verb)
        return bool(waiting)

    def _settled(self, settled: Delivery) -> None:
        """Take note of a message, in the thread that has settled it."""
        self.board.settled(settled)
        if self._observe is not None:
            self._observe(settled)
        if self._supervised and settled.failures and _found_no_memory(settled):
            log.error("a task of %s finds no memory; this worker is replaced", settled.consumer)
            self._replace("a task that finds no memory")

    def _acknowledged(self, settled: Delivery) -> None:
        """Take note of a message, in the connection's thread, after the broker has been answered."""
        if self._once:
            who = (settled.consumer, settled.envelope.correlation_id)
            self._followed |= bool(settled.follow_ups)  # which may be on their way, in no queue
            (self.delayed.add if settled.outcome is Outcome.RETRIED else self.delayed.discard)(who)
        self._listeners.tell(settled)

    def _show(self) -> None:
        """Show once a second how things stand, and write once a minute what was done."""
        minutes = Minutes(self.board.look)
        while not self._ended.wait(1.0):
            if (line := minutes.line()) is not None:
                log.info("%s", line)
            self.board.aside(*self._in_hand.aside)
            breakers = self._breakers.all
            self.board.gauges(
                self._in_hand.queues,
                self._in_hand.waiting,
                {name: breaker.open for name, breaker in breakers.items()},
                {name: breaker.found_nothing for name, breaker in breakers.items()},
            )

    def _pulse(self) -> None:
        """Keep both connections alive while their thread is busy, and watch its parser and its task."""
        interval = min(self._config.broker.heartbeat.total_seconds() / 4, 1.0)
        while not self._ended.wait(interval):
            self._publisher.beat()
            self._forwarder.beat()
            self._in_hand.beat()
            late = None if self._inline else self._handler.parses_too_long(time.monotonic())
            if late is not None:
                limit = late.config.task_timeout.total_seconds()
                log.critical("a message of %s is not parsed after %g s; the process ends", late.name, limit)
                os._exit(EX_HUNG)
            if self._in_hand.threaded:
                continue
            for job in [] if self._inline else self._in_hand.overdue(time.monotonic()):
                log.critical(
                    "a task of %s has not ended in %g s; the process ends", job.plan.name, job.time_limit
                )
                os._exit(EX_HUNG)
            connection = self._connection
            if connection is not None and not self._config.broker.embedded:
                with contextlib.suppress(*_LOST):
                    connection.connection.send_heartbeat()


def end_damaged() -> None:
    """End this process, whose descriptors somebody has closed; it counts as a crash."""
    log.critical("a task has closed descriptors that are not its own; the process ends")
    os._exit(EX_HUNG)


def _depth(connection: Any, queues: Iterable[str], *, read: bool) -> int | None:
    """Give how many messages are ready in some queues; ``None`` where the broker does not know just now.

    Of a quorum queue that does not answer it within 250 ms, RabbitMQ says that it has neither messages nor
    consumers (3.10 and 4.0, ``rabbit_quorum_queue:stat``). A queue that is ``read`` here has a consumer; of
    others only the time tells.
    """
    channel = connection.channel()
    try:
        ready = 0
        for name in queues:
            asked = time.monotonic()
            found = channel.queue_declare(queue=name, passive=True)
            late = time.monotonic() - asked > _LATE
            if not found.message_count and (not found.consumer_count if read else late):
                return None
            ready += int(found.message_count)
        return ready
    finally:
        channel.close()


def _found_no_memory(settled: Delivery) -> bool:
    """Say whether a task has failed for want of memory: what was leaked comes back with the process alone."""
    return any(one.kind == "error" and one.reason.startswith("MemoryError") for one in settled.failures)
