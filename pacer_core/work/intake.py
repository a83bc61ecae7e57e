"""The intake of a key space with partitions: each message goes into the partition of its key, in order.

It is one process, and goes by rounds. A round has one message of a key at most: all of it is published,
confirmed, and acknowledged before the next one begins. So the later of two messages of a key is published
when the earlier one is acknowledged, and an intake that dies leaves of each key one message at most that is
in its partition already. The next intake publishes it again, directly behind its first copy: it is handled
twice, as any message may be, and none is out of order. Nobody confirms acknowledgements, though: where those
of several rounds are lost with their connection, the messages of a key are all repeated, in their order.

One that has lost its messages to the next intake publishes nothing more: its copies would come behind later
ones of their keys. One that is frozen does not know, so the broker sees to it: the connection that publishes
is opened before anything is read, counts as lost three times as soon, and is never opened anew while that
is read.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any

from attrs import evolve, frozen

from pacer_core.config.model import Amqp, Broker, Config, ConsumerPlan, KeySpace
from pacer_core.model.errors import BrokerError, NotTakenError, RefusedError
from pacer_core.model.partitions import partition_of, priority
from pacer_core.model.secrets import redact
from pacer_core.transport.consume import Waker
from pacer_core.transport.copies import copy_properties, partition_headers
from pacer_core.transport.headers import SHORT_STRING
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.signing import Signer
from pacer_core.work.job import Job

log = logging.getLogger("pacer.intake")

AGAIN = 2.0
"""Seconds before what a partition does not take is tried again; the messages of its keys wait behind it."""


def cut_off_first(broker: Broker, connection: Any) -> Broker:
    """Give a broker as who publishes opens it for what ``connection`` reads: the same node, less patience.

    RabbitMQ ends a connection two to three heartbeats after it has heard the last of it (its
    rabbit_heartbeat.erl), and py-amqp lets no more than one go by without a word (`heartbeat_tick`). So with
    a third of that the connection that publishes has ended when what the other one reads is given to somebody
    else, whenever both fall silent together. Heartbeats are whole seconds: of one and two there is no third.
    """
    if not isinstance(broker.options, Amqp):
        return broker
    seconds = max(1, int(connection.connection.heartbeat // 3))
    there = {"host": connection.hostname, "port": connection.port, "hosts": ()}
    return evolve(broker, options=evolve(broker.options, heartbeat=timedelta(seconds=seconds), **there))


def priorities(spaces: Sequence[KeySpace], host: str) -> Mapping[str, int]:
    """Give the priorities at which a host reads the queues of partitions."""
    return {
        queue: priority(host, number, space.partitions)
        for space in spaces
        for number, queue in enumerate(space.queues)
    }


class Intake:
    """Messages on their way into partitions: a thread publishes a round, while the next one is gathered.

    All but that thread's own work is done by the connection's thread.

    Parameters
    ----------
    config, plans
        The configuration, and those of its consumers that run here.
    confirmed
        Told how many seconds the broker took to confirm a round.
    signer
        Signs them: a partition believes no other.
    declare
        Declares again what somebody has removed.
    waker
        Ends the connection thread's wait: a round is over.
    """

    def __init__(
        self,
        config: Config,
        plans: Sequence[ConsumerPlan],
        confirmed: Callable[[float], None],
        signer: Signer,
        declare: Callable[[], None],
        waker: Waker,
    ) -> None:
        self._spaces = {plan.name: space for plan in plans if (space := config.key_space(plan)) is not None}
        self._broker, self._confirmed = config.broker, confirmed
        self._signer, self._declare, self._waker = signer, declare, waker
        self._publisher = Publisher(config.broker, reopen=False)
        self._gathered: list[Job] = []
        self._behind: dict[str, deque[Job]] = {}
        self._rounds: queue.SimpleQueue[_Round | None] = queue.SimpleQueue()
        self._over: deque[_Round] = deque()
        self._thread: threading.Thread | None = None
        self._subscriptions = 0
        self._again = 0.0
        self.publishing = False
        """Whether a round is under way."""

    @property
    def pressing(self) -> bool:
        """Whether there is something to do for the connection's thread."""
        return bool(self._over) or (
            bool(self._gathered) and not self.publishing and time.monotonic() >= self._again
        )

    def open(self, connection: Any) -> None:
        """Open what publishes, before anything is read from a connection.

        Raises
        ------
        BrokerError, amqp.exceptions.AMQPError, OSError
            Where the broker cannot be reached.
        """
        self._publisher.cut()
        if self._spaces:
            broker = cut_off_first(self._broker, connection)
            self._publisher = Publisher(broker, self._confirmed, reopen=False)
            self._publisher.open(connection)

    def beat(self) -> None:
        """Keep that connection alive."""
        self._publisher.beat()

    def takes(self, job: Job) -> bool:
        """Take a message in that belongs into a partition; say whether it does."""
        if job.failed is not None or job.received.envelope.partition or job.plan.name not in self._spaces:
            return False
        if job.key is not None:
            behind = self._behind.get(job.key)
            if behind is not None:
                behind.append(job)
                return True
            self._behind[job.key] = deque()
        self._gathered.append(job)
        return True

    def ended(self) -> list[tuple[Job, BrokerError | None]]:
        """Give the messages of the round that is over, each confirmed, or with what is wrong about it.

        One that its partition does not take is not among them: it is tried again, before others of its key.
        """
        ended: list[tuple[Job, BrokerError | None]] = []
        while self._over:
            over = self._over.popleft()
            self.publishing = False
            if over.subscription != self._subscriptions:
                continue  # the broker has them again, and has given them to somebody since
            stay = [(job, error) for job, error in over.said if _is_put_off(error)]
            ended += [(job, error) for job, error in over.said if not _is_put_off(error)]
            if stay:
                self._gathered[:0] = [job for job, _ in stay]
                self._put_off(len(stay), stay[0][1])
        return ended

    def go_on(self, acknowledged: Iterable[Job] = ()) -> None:
        """Let the next messages of some keys have their turn, and begin a round where none is under way."""
        for job in acknowledged:
            if job.key is None:
                continue
            behind = self._behind[job.key]
            if behind:
                self._gathered.append(behind.popleft())
            else:
                del self._behind[job.key]
        if self.publishing or not self._gathered or time.monotonic() < self._again:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="intake", daemon=True)
            self._thread.start()
        self.publishing = True
        self._rounds.put(_Round(self._subscriptions, self._gathered))
        self._gathered = []

    def drop(self) -> None:
        """Forget all of them: the broker has them back."""
        self._subscriptions += 1
        self._gathered = []
        self._behind.clear()
        self._again = 0.0

    def close(self) -> None:
        """End the thread, and its connection."""
        if self._thread is not None:
            self._rounds.put(None)
        self._publisher.close()

    def _work(self) -> None:
        while (current := self._rounds.get()) is not None:
            publisher = self._publisher  # first: a later one is not for jobs of an earlier subscription
            # Who has lost its connection has its messages back at the broker: a copy would be one too many.
            jobs = [job for job in current.jobs if job.received.subscription.open]
            said: Sequence[BrokerError | None]
            try:
                holds = jobs[0].received.subscription.holds if jobs else None  # all are of one subscription
                said = publisher.publish_each([self._copy(job) for job in jobs], holds)
            except Exception as error:  # whatever it was, each of them is still the broker's
                log.exception("a round of the intake failed")
                said = [BrokerError(type(error).__name__)] * len(jobs)
            self._over.append(_Round(current.subscription, jobs, tuple(zip(jobs, said, strict=True))))
            self._waker.wake()

    def _put_off(self, number: int, error: BrokerError | None) -> None:
        self._again = time.monotonic() + AGAIN
        log.error("partitions do not take %d messages, which wait, and all of their keys: %s", number, error)
        try:
            self._declare()
        except Exception as failed:  # a broker that goes away in between is seen by who reads
            log.warning("what is missing at the broker cannot be declared: %s", redact(str(failed)))

    def _copy(self, job: Job) -> Outgoing:
        envelope, space = job.received.envelope, self._spaces[job.plan.name]
        number = partition_of(envelope.correlation_id if job.key is None else job.key, space.partitions)
        queue = space.queues[number]
        copy = Outgoing(
            exchange="",
            routing_key=queue,
            body=envelope.body,
            headers=partition_headers(envelope, job.plan.name, queue, _in_header(job.key)),
            properties=copy_properties(envelope),
        )
        return self._signer.signed(copy, queue)


@frozen(eq=False)
class _Round:
    """Messages that are published together, while one subscription has them, and what came of that."""

    subscription: int
    jobs: Sequence[Job]
    said: Sequence[tuple[Job, BrokerError | None]] = ()


def _is_put_off(error: BrokerError | None) -> bool:
    """Say whether a partition takes nothing: the message has nothing to do with that."""
    return isinstance(error, NotTakenError) and not isinstance(error, RefusedError)


def _in_header(key: str | None) -> str:
    """Give what tells a key from others in a header: itself, where it fits there, and nothing for none."""
    if key is None:
        return ""
    data = key.encode(errors="surrogatepass")
    if len(data) <= SHORT_STRING and key.isprintable():
        return key
    return f"{key.partition(':')[0]}:sha256-{sha256(data).hexdigest()}"
