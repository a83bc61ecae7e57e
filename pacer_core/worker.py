"""One process: reads the queues of some consumers, runs their tasks in threads, and settles.

The connection's thread, which calls `Worker.run`, reads messages, parses them, works out their keys, and
acknowledges. The lanes' threads run tasks and publish what a message leaves behind.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any

import amqp

from pacer_core.config.model import Config, ConsumerPlan
from pacer_core.errors import BrokerError
from pacer_core.integrations import OpenIntegrations
from pacer_core.lanes import Lanes
from pacer_core.messages import Context, Delivery, Outcome
from pacer_core.transport.connection import connect
from pacer_core.transport.consume import Received, Subscription, Waker
from pacer_core.transport.publish import Publisher
from pacer_core.transport.settle import Settler
from pacer_core.transport.topology import declare

log = logging.getLogger("pacer.worker")

BACKOFF = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds between attempts to reach a broker; the last one repeats."""
_QUIET = 1.0  # seconds between the two looks that find every queue empty

Observer = Callable[[Delivery], None]
_LOST = (
    amqp.exceptions.AMQPError,
    OSError,
    AttributeError,
)  # AttributeError: py-amqp's, on a dead connection


class Worker:
    """Runs some consumers of a configuration in this process until `stop`, or until nothing is left."""

    def __init__(
        self, config: Config, plans: Sequence[ConsumerPlan], *, observe: Observer | None = None
    ) -> None:
        self._config, self._plans = config, tuple(plans)
        self._by_queue = {queue: plan for plan in plans for queue in plan.config.queues}
        self._observe = observe
        self._integrations = OpenIntegrations()
        self._publisher = Publisher(config.broker)
        self._settler = Settler(config, self._publisher)
        self._waker = Waker()
        self._finished: deque[Received] = deque()
        self._failure: Exception | None = None
        self._stopping = threading.Event()
        self._lanes: Lanes | None = None
        self.outcomes: Counter[Outcome] = Counter()
        """How many messages were settled in which way; a retried one counts again when it comes back."""
        self.delayed: set[tuple[str, str]] = set()
        """Consumer and correlation id of what waits for a retry; kept with ``once`` alone."""
        self._once = False

    def stop(self) -> None:
        """Let what is in hand finish, give the rest back, and end; may be called from a signal handler."""
        self._stopping.set()
        self._waker.wake()

    def run(self, *, once: bool = False) -> Counter[Outcome]:
        """Work until `stop`; with ``once``, until every queue is empty and nothing is in hand.

        A broker that goes away is awaited. One that refuses what the configuration declares is an error.

        Raises
        ------
        BrokerError
            Where the topology cannot be declared, or with ``once`` the broker cannot be reached.
        """
        self._once = once
        pulse = threading.Thread(target=self._pulse, name="pulse", daemon=True)
        pulse.start()
        failures = 0
        try:
            while not self._stopping.is_set():
                try:
                    connection = connect(self._config.broker, "consumer")
                except BrokerError as error:
                    if once:
                        raise
                    failures = self._back_off(failures, error)
                    continue
                settled = self.outcomes.total()
                try:
                    declare(connection, self._config)
                    if self._consume(connection, once):
                        break
                except _LOST as error:
                    # Only progress resets the backoff: what breaks the connection comes again at once.
                    failures = self._back_off(0 if self.outcomes.total() > settled else failures, error)
                finally:
                    with contextlib.suppress(Exception):
                        connection.release()
        finally:
            self._stopping.set()
            self._publisher.close()
            self._integrations.close_thread()
            self._integrations.close()
            self._waker.close()
        return self.outcomes

    def _back_off(self, failures: int, error: Exception) -> int:
        delay = BACKOFF[min(failures, len(BACKOFF) - 1)]
        log.warning("lost %s: %s; again in %g s", self._config.broker, error or type(error).__name__, delay)
        self._stopping.wait(delay)
        return failures + 1

    # --- one connection --------------------------------------------------------------------------

    def _consume(self, connection: Any, once: bool) -> bool:
        """Read messages until told to stop (``True``), or until the connection is lost (an exception)."""
        self._failure = None
        self._finished.clear()
        keyed = any(plan.pipeline.type.key is not None for plan in self._plans)
        self._lanes = lanes = Lanes(
            max(plan.config.concurrency for plan in self._plans), on_exit=self._integrations.close_thread
        )
        prefetch = max(plan.config.prefetch_for(keyed) for plan in self._plans)
        subscription = Subscription(connection, list(self._by_queue), prefetch, self._received)
        log.info("reading %s", ", ".join(self._by_queue))
        try:
            self._pump(connection, subscription, lanes, once)
        except BaseException:
            subscription.abandon()
            lanes.close(self._grace)
            raise
        if not lanes.close(self._grace):
            log.warning("tasks still run after %g s; their messages go back to the queue", self._grace)
        self._acknowledge()
        subscription.close()
        return True

    @property
    def _grace(self) -> float:
        return self._config.processes.shutdown_grace.total_seconds()

    def _pump(self, connection: Any, subscription: Subscription, lanes: Lanes, once: bool) -> None:
        interval = self._config.broker.heartbeat.total_seconds() / 4
        beat = time.monotonic() + interval
        quiet_since: float | None = None
        while not self._stopping.is_set():
            subscription.poll(self._waker, 0.1 if once else interval)
            self._acknowledge()
            if self._failure is not None:
                raise self._failure
            now = time.monotonic()
            if now >= beat and not self._config.broker.embedded:
                connection.heartbeat_check()
                beat = now + interval
            if once:
                if lanes.in_hand or self._finished or self._depth(connection):
                    quiet_since = None
                elif quiet_since is None:
                    quiet_since = now
                elif now - quiet_since >= _QUIET:
                    return

    def _depth(self, connection: Any) -> int:
        """Give how many messages are ready in the queues that are read here."""
        channel = connection.channel()
        try:
            return sum(
                int(channel.queue_declare(queue=name, passive=True).message_count) for name in self._by_queue
            )
        finally:
            channel.close()

    def _received(self, received: Received) -> None:
        plan = self._by_queue[received.envelope.queue]
        parsed = plan.pipeline.parse(received.envelope)
        if isinstance(parsed, Delivery):
            self._submit(None, lambda: self._settle(received, parsed))
            return
        key = self._key(plan, received, parsed)
        if isinstance(key, Delivery):
            failed = key
            self._submit(None, lambda: self._settle(received, failed))
            return
        self._submit(key, lambda: self._process(received, plan, parsed))

    def _key(self, plan: ConsumerPlan, received: Received, message: Any) -> str | Delivery | None:
        key = plan.pipeline.type.key
        if key is None:
            return None
        context = Context(
            received.envelope,
            plan.name,
            options=plan.pipeline.options,
            clients=self._integrations.clients(plan),
        )
        try:
            value = key.of(message, context)
        except Exception as error:
            return plan.pipeline.failed(received.envelope, message, "key", error)
        return None if value is None else f"{key.space}:{value}"

    def _submit(self, key: str | None, job: Callable[[], None]) -> None:
        if self._lanes is not None:
            self._lanes.submit(key, job)

    def _acknowledge(self) -> None:
        while self._finished:
            received = self._finished.popleft()
            received.subscription.ack(received.tag)

    # --- in the lanes ----------------------------------------------------------------------------

    def _process(self, received: Received, plan: ConsumerPlan, message: Any) -> None:
        clients = self._integrations.clients(plan)
        self._settle(received, plan.pipeline.process(received.envelope, message, clients))

    def _settle(self, received: Received, delivery: Delivery) -> None:
        try:
            settled = self._settler.settle(delivery)
        except Exception as error:
            # The message stays unacknowledged: the connection is given up, and everything in hand comes back.
            if not isinstance(error, BrokerError):
                log.exception("%s: could not be settled", delivery.consumer)
            self._failure = amqp.exceptions.RecoverableConnectionError(str(error))
            self._waker.wake()
            return
        self._finished.append(received)
        self.outcomes[settled.outcome] += 1
        if self._once:
            self._note_delay(settled)
        self._waker.wake()
        if self._observe is not None:
            self._observe(settled)

    def _note_delay(self, settled: Delivery) -> None:
        who = (settled.consumer, settled.envelope.correlation_id)
        if settled.outcome is Outcome.RETRIED:
            self.delayed.add(who)
        else:
            self.delayed.discard(who)

    def _pulse(self) -> None:
        """Keep the publishing connection alive while nothing is published."""
        interval = self._config.broker.heartbeat.total_seconds() / 4
        while not self._stopping.wait(interval):
            self._publisher.beat()
