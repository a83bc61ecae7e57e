"""The intake of a key space with partitions: each message goes into the partition of its key, in order.

It is one thread of one process, the connection's, and goes by rounds. A round has one message of a key at
most: all of it is published, confirmed, and acknowledged before the next one begins. So the later of two
messages of a key is published when the earlier one is acknowledged, and an intake that dies leaves of each
key one message at most that is in its partition already. The next intake publishes it again, directly behind
its first copy: it is handled twice, as any message may be, and none is out of order.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256

from pacer_core.config.model import Config, ConsumerPlan, KeySpace
from pacer_core.model.errors import BrokerError, NotTakenError, RefusedError, Reject
from pacer_core.model.partitions import partition_of, priority
from pacer_core.model.secrets import redact
from pacer_core.transport.copies import copy_properties, partition_headers
from pacer_core.transport.headers import SHORT_STRING
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.signing import Signer
from pacer_core.work.job import Job

log = logging.getLogger("pacer.intake")

AGAIN = 2.0
"""Seconds before what a partition does not take is tried again; the messages of its keys wait behind it."""


def priorities(spaces: Sequence[KeySpace], host: str) -> Mapping[str, int]:
    """Give the priorities at which a host reads the queues of partitions."""
    return {
        queue: priority(host, number, space.partitions)
        for space in spaces
        for number, queue in enumerate(space.queues)
    }


class Intake:
    """Messages on their way into partitions; used by one thread, the connection's.

    Parameters
    ----------
    config, plans
        The configuration, and those of its consumers that run here.
    publisher
        Publishes the copies; raises where the broker is lost.
    signer
        Signs them: a partition believes no other.
    declare
        Declares again what somebody has removed.
    """

    def __init__(
        self,
        config: Config,
        plans: Sequence[ConsumerPlan],
        publisher: Publisher,
        signer: Signer,
        declare: Callable[[], None],
    ) -> None:
        self._spaces = {plan.name: space for plan in plans if (space := config.key_space(plan)) is not None}
        self._publisher, self._signer, self._declare = publisher, signer, declare
        self._waiting: list[Job] = []
        self._again = 0.0

    @property
    def pressing(self) -> bool:
        """Whether there is a message to publish now."""
        return bool(self._waiting) and time.monotonic() >= self._again

    @property
    def first(self) -> Job:
        """The message that has waited longest."""
        return self._waiting[0]

    def takes(self, job: Job) -> bool:
        """Take a message in that belongs into a partition; say whether it does."""
        if job.failed is not None or job.received.envelope.partition or job.plan.name not in self._spaces:
            return False
        self._waiting.append(job)
        return True

    def drop(self) -> None:
        """Forget all of them: the broker has them back."""
        self._waiting.clear()
        self._again = 0.0

    def spread(self) -> list[Job]:
        """Publish one message of each key; give those that are confirmed, or have failed for good.

        Raises
        ------
        BrokerError
            Where the broker is lost: it has all of them, and gives them to the next one that reads.
        """
        turn, later = self._turn()
        copies = [self._copy(job) for job in turn]
        said = self._publisher.publish_each(copies)
        ended, stay = [], []
        for job, error in zip(turn, said, strict=True):
            if error is None:
                ended.append(job)
            elif isinstance(error, RefusedError):
                refused = Reject(f"no partition can have it: {error}")
                job.failed = job.plan.pipeline.failed(job.received.envelope, job.message, "key", refused)
                ended.append(job)
            elif isinstance(error, NotTakenError):
                stay.append((job, error))
            else:
                raise error
        self._waiting = [*(job for job, _ in stay), *later]
        if stay:
            self._put_off(len(stay), stay[0][1])
        return ended

    def _turn(self) -> tuple[list[Job], list[Job]]:
        """Give the first message of each key, and the others; messages without a key wait for nobody."""
        turn: list[Job] = []
        later: list[Job] = []
        keys: set[str] = set()
        for job in self._waiting:
            if job.key is None:
                turn.append(job)
            elif job.key in keys:
                later.append(job)
            else:
                keys.add(job.key)
                turn.append(job)
        return turn, later

    def _put_off(self, number: int, error: BrokerError) -> None:
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


def _in_header(key: str | None) -> str:
    """Give what tells a key from others in a header: itself, where it fits there, and nothing for none."""
    if key is None:
        return ""
    data = key.encode(errors="surrogatepass")
    if len(data) <= SHORT_STRING and key.isprintable():
        return key
    return f"{key.partition(':')[0]}:sha256-{sha256(data).hexdigest()}"
