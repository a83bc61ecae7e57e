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
from collections.abc import Sequence
from typing import Any

from pacer_core.config.model import Config, ConsumerPlan
from pacer_core.model.errors import BrokerError
from pacer_core.model.messages import Delivery, Outcome
from pacer_core.model.secrets import Clean, redact, screen
from pacer_core.observe.board import Board
from pacer_core.observe.metrics import State, shape
from pacer_core.observe.progress import Minutes
from pacer_core.pipeline.spans import Traces
from pacer_core.transport.advice import advice_for
from pacer_core.transport.connection import BACKOFF, LOST, connect, hang_up, name_of
from pacer_core.transport.consume import StandBy, Waker
from pacer_core.transport.delivery_limits import limits
from pacer_core.transport.forward import Forwarder
from pacer_core.transport.publish import Publisher
from pacer_core.transport.settle import Settler
from pacer_core.transport.signing import Trust, signer_for
from pacer_core.transport.topology import declare
from pacer_core.work.acknowledging import Observer
from pacer_core.work.breakers import Breakers
from pacer_core.work.clients import OpenIntegrations
from pacer_core.work.crashes import Counts, CrashFiles, Notes
from pacer_core.work.exit_codes import EX_HUNG, EX_STUCK, end_damaged
from pacer_core.work.handling import Handler
from pacer_core.work.in_flight import InHand
from pacer_core.work.intake import Intake, priorities
from pacer_core.work.notifier import Listeners
from pacer_core.work.os_signals import Stopped
from pacer_core.work.presence import Presence
from pacer_core.work.reading import Reading
from pacer_core.work.remaining import Remaining

log = logging.getLogger("pacer.worker")

STAND_BY = 5.0
"""Seconds between attempts to read queues that another process reads exclusively."""


class Worker:
    """Runs some consumers of a configuration in this process until `stop`, or until nothing is left.

    Parameters
    ----------
    config, plans
        The configuration, and those of its consumers that run here.
    observe
        Called with each settled delivery, in the thread that settled it.
    queues
        Those that it reads: by default all that hold messages of these consumers, those of partitions
        among them.
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
        queues: Sequence[str] | None = None,
        observe: Observer | None = None,
        inline: bool = False,
        crash_files: CrashFiles | None = None,
    ) -> None:
        self._config, self._plans, self._observe = config, tuple(plans), observe
        by_queue = {queue: plan for plan in plans for queue in plan.config.queues}
        partitions = {
            queue: config.readers(queue)[0] for space in config.partitions(plans) for queue in space.queues
        }
        self._queues = (*by_queue, *partitions) if queues is None else tuple(queues)
        place = "" if crash_files is None else f"{crash_files.board.parent}"
        self._priorities = priorities(config.partitions(plans), f"{socket.gethostname()} {place}")
        taken_in = [plan for plan in plans if set(plan.config.queues) & set(self._queues)]
        self._inline = inline
        self._threads = 1 if inline else max(plan.config.concurrency for plan in plans)
        self._keyed = any(plan.pipeline.type.key is not None for plan in plans)
        self._integrations = OpenIntegrations()
        self.board = Board(shape(config, plans), crash_files.board if crash_files is not None else None)
        """What is seen of this worker from outside."""
        self._waker = Waker()
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
            by_queue,
            self._settler,
            self._integrations,
            self._breakers,
            self._forwarder,
            self._notes,
            Counts(crash_files.counts) if crash_files is not None else None,
            self._traces,
            partitions,
            {queue: plan for plan in config.disabled for queue in plan.config.queues},
        )
        self._supervised = crash_files is not None
        self._stopped = Stopped()
        self._ended = threading.Event()
        self._connection: Any = None
        self._in_hand = InHand(
            handler,
            self._threads,
            self._integrations.close_thread,
            self._waker,
            self._settled,
            self._acknowledged,
            config.broker,
            self._signer,
            Intake(config, taken_in, self.board.confirmed, self._signer, self._declare, self._waker),
            partitions,
        )
        self._presence = Presence(config.partitions(plans), config.broker, self._in_hand.partitions)
        self._remaining: Remaining | None = None
        self.aside = 0
        """How many messages were left in their queue, although their tasks have run; see `set_aside`."""
        self.delayed: set[tuple[str, str]] = set()
        """Consumer and correlation id of what waits for a retry; kept with ``once`` alone."""

    @property
    def outcomes(self) -> Counter[Outcome]:
        """How many messages were settled in which way; a retried one counts again when it comes back."""
        return self._in_hand.outcomes

    @property
    def exit_code(self) -> int:
        """The code with which this process is to end."""
        return self._stopped.code

    def stop(self, by: str = "asked to end", code: int = 0) -> None:
        """Let what is in hand finish, give the rest back, and end; may be called from a signal handler."""
        self._stopped.stop(by, code)
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
        self._remaining = Remaining(self._queues, wait) if once else None
        threads = [
            threading.Thread(target=self._pulse, name="pulse", daemon=True),
            threading.Thread(target=self._breakers.probe, args=(self._ended,), name="probe", daemon=True),
            threading.Thread(target=self._show, name="show", daemon=True),
            *self._presence.threads(self._ended),
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
        reading = Reading(
            self._config,
            self._plans,
            self._queues,
            self._priorities,
            self._in_hand,
            self._trust,
            self._breakers,
            self.board,
            self._waker,
            self._stopped,
            self._inline,
            self._keyed,
            self._remaining,
            self._replace,
            self._end_if_damaged,
        )
        failures = 0
        while not self._stopped:
            settled = self.outcomes.total()
            try:
                self._connection = connection = connect(self._config.broker, "consumer")
            except BrokerError as error:
                if self._remaining is not None:
                    raise
                failures = self._back_off(failures, error)
                continue
            try:
                declare(connection, self._config, self._plans)
                self._signer.ready()
                limited = limits(connection, self._config, self._queues)
                self._settler.dead_lettering(one.queue for one in limited if one.to_dead_queue)
                self._forwarder.here = name_of(connection, self._config.broker)
                ended = reading.run(connection, limited)
                self.aside = reading.aside
                if ended:
                    return
                failures = 0
            except StandBy:
                self.board.state(State.STAND_BY)
                self._pause(STAND_BY)
            except BrokerError as error:
                if self._remaining is not None:
                    raise
                failures = self._back_off(failures, error, State.REFUSED)
            except LOST as error:
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

    def _end_if_damaged(self) -> None:
        """End at once where a task has closed this process's descriptors: that is a crash of its message."""
        if self._supervised and self._waker.damaged:
            end_damaged()

    def _replace(self, why: str) -> None:
        """End, and ask to be replaced."""
        self.stop(why, EX_STUCK)

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
        if self._remaining is not None:
            who = (settled.consumer, settled.envelope.correlation_id)
            self._remaining.followed |= bool(settled.follow_ups)
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
        interval = min(self._config.broker.beat, 1.0)
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
            if connection is not None and self._config.broker.capabilities.heartbeats:
                with contextlib.suppress(*LOST):
                    connection.connection.send_heartbeat()


def _found_no_memory(settled: Delivery) -> bool:
    """Say whether a task has failed for want of memory: what was leaked comes back with the process alone."""
    return any(one.kind == "error" and one.reason.startswith("MemoryError") for one in settled.failures)
