"""Messages that are finished: noted by who finished them, acknowledged by the connection's thread."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from pacer_core.model.messages import Delivery, Outcome
from pacer_core.transport.consume import Received, Subscription, Waker
from pacer_core.work.handling import Handler
from pacer_core.work.job import Job
from pacer_core.work.lanes import Lanes

log = logging.getLogger("pacer.worker")

MOMENT = 0.01  # seconds that a stage may take
_LINGER = 0.03  # seconds that an acknowledgement waits for others, while threads have something to do
_MANY = 16  # acknowledgements do not wait: the broker sends no more than the prefetch before it has them

Observer = Callable[[Delivery], None]


class Acknowledgements:
    """What is finished and not acknowledged.

    Parameters
    ----------
    handler
        Strikes messages off the notes that survive the process.
    jobs
        The messages in hand; what is finished leaves them.
    waker
        Ends the connection thread's wait: there is something to acknowledge.
    settled
        Told of each message in the thread that settled it.
    acknowledged
        Told of each in the connection's thread, when the broker has been answered.
    """

    def __init__(
        self,
        handler: Handler,
        jobs: dict[Received, Job],
        waker: Waker,
        settled: Observer,
        acknowledged: Observer,
    ) -> None:
        self._handler, self._jobs, self._waker = handler, jobs, waker
        self._settled, self._told = settled, acknowledged
        self._finished: deque[tuple[Received, Delivery | None]] = deque()  # none: it has a fresh copy
        self._rejected: set[Received] = set()
        self._noted: dict[Received, Job] = {}  # done, and not acknowledged
        self._called = False
        self._acknowledged = 0.0
        self.threaded = False
        """Whether tasks run in threads of their own."""
        self.lanes: Lanes | None = None
        """These threads, until they end."""
        self.outcomes: Counter[Outcome] = Counter()
        """How many messages were settled in which way; a retried one counts again when it comes back."""

    def __bool__(self) -> bool:
        return bool(self._finished)

    def begin(self) -> None:
        """Begin with nothing: what is not acknowledged is the broker's again."""
        for job in list(self._noted.values()):
            self.release(job)
        self._finished.clear()
        self._rejected.clear()

    def copied(self, received: Received) -> None:
        """Have a message acknowledged whose fresh copy the broker has confirmed."""
        self._finished.append((received, None))

    def give_back(self, job: Job) -> None:
        """Take note of a message that is not settled here: it stays noted until there is another connection.

        Only then this process is known to be sound.
        """
        if not job.received.subscription.open:
            self.release(job)
        elif job.slot is not None:
            self._noted[job.received] = job

    def note(self, job: Job, settled: Delivery) -> None:
        """Take note of a message that is finished, in the thread that has finished it."""
        try:
            self._settled(settled)
            if log.isEnabledFor(logging.DEBUG):
                _tell(settled)
        except BaseException:
            # A plugin's number that cannot be counted, for instance: the message is settled all the same.
            log.exception("%s: a settled message could not be counted", settled.consumer)
        self._jobs.pop(job.received, None)
        if job.rejected:
            self._rejected.add(job.received)
        if job.slot is not None:
            self._noted[job.received] = job
        self._finished.append((job.received, settled))
        if self.threaded and not self._called and self._urgent():
            # Acknowledging is for the connection's thread alone, and waking it costs more than most tasks.
            self._called = True
            self._waker.wake()

    def _urgent(self) -> bool:
        """Say whether what is finished cannot wait until the connection's thread looks by itself."""
        lanes = self.lanes
        if lanes is None or not lanes.ready or len(self._finished) >= _MANY:
            return True
        return time.monotonic() - self._acknowledged > _LINGER

    def acknowledge(self) -> None:
        """Acknowledge what is finished."""
        self._called = False  # before looking: who finishes from now on calls again
        if not self._finished:
            return
        self._acknowledged = time.monotonic()
        # A task may outlive its connection: its tag means another message on the channel of today.
        by_channel: dict[Subscription, list[tuple[Any, Delivery | None]]] = {}
        rejected: dict[Subscription, set[Any]] = {}
        taken = [self._finished.popleft() for _ in range(len(self._finished))]
        for one, settled in taken:
            by_channel.setdefault(one.subscription, []).append((one.tag, settled))
            if one in self._rejected:
                self._rejected.remove(one)
                rejected.setdefault(one.subscription, set()).add(one.tag)
        for subscription, finished in by_channel.items():
            if subscription.open:
                for tag in rejected.get(subscription, ()):
                    subscription.reject(tag)
                subscription.ack([tag for tag, _ in finished if tag not in rejected.get(subscription, ())])
                for _, settled in finished:
                    if settled is None:
                        continue
                    self.outcomes[settled.outcome] += 1
                    self._told(settled)
        if self._noted:
            for one, _ in taken:
                self.release(self._noted.get(one))

    def release(self, job: Job | None) -> None:
        """Strike a message off the notes that survive the process."""
        if job is not None and job.slot is not None:
            self._noted.pop(job.received, None)
            self._handler.acknowledged(job)


def _tell(settled: Delivery) -> None:
    """Say what each task did with a message, for who looks closely."""
    failed = {failure.task: failure.kind for failure in settled.failures}
    tasks = {
        task: f"{failed.get(task, 'done')} in {1000 * seconds:.1f} ms"
        for task, seconds in settled.timings.items()
    }
    said = "; ".join(f"{task}: {what}" for task, what in (failed | tasks).items()) or "nothing to do"
    who = {"correlation_id": settled.envelope.correlation_id}
    log.debug("%s: %s: %s", settled.consumer, settled.outcome.value, said, extra=who)
