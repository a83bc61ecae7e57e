"""The messages that a worker has in hand: handled by its threads, acknowledged by its connection's.

They go through in batches, and each stage has a whole batch before the next one begins: all are read from the
socket, all parsed, all handled, all acknowledged. Code that runs fifty times in a row stays in the
processor's caches; message by message, the same steps take a third longer.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import amqp

from pacer_core.errors import BrokerError, Retry
from pacer_core.handler import Handler, Job
from pacer_core.lanes import Lanes
from pacer_core.messages import Delivery, Outcome
from pacer_core.transport.consume import Received, Subscription, Waker

log = logging.getLogger("pacer.worker")

_MOMENT = 0.01  # seconds that a stage may take, and that an acknowledgement waits for others
_MANY = 16  # acknowledgements do not wait: the broker sends no more than the prefetch before it has them

Observer = Callable[[Delivery], None]


class InHand:
    """What came in and is not acknowledged, from one subscription at a time.

    `arrive`, `work` and `acknowledge` are the connection's thread's; what they start runs in lanes where
    there are several threads, and in that thread where there is one.

    Parameters
    ----------
    handler
        What is done with each.
    threads, on_exit
        How many run tasks, and what each does when it ends.
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
        threads: int,
        on_exit: Callable[[], None],
        waker: Waker,
        settled: Observer,
        acknowledged: Observer,
    ) -> None:
        self._handler, self._threads, self._on_exit, self._waker = handler, threads, on_exit, waker
        self._settled, self._told = settled, acknowledged
        self._arrived: deque[tuple[float, Received]] = deque()
        self._jobs: dict[Received, Job] = {}
        self._mine: deque[Job] = deque()
        self._together: list[Job] = []
        self._finished: deque[tuple[Job, Delivery]] = deque()
        self._unsettled: list[Job] = []
        self._lanes: Lanes | None = None
        self._forwarding = self._called = False
        self._acknowledged = 0.0
        self.failure: Exception | None = None
        """Why the connection has to be given up: something could not be settled."""
        self.outcomes: Counter[Outcome] = Counter()
        """How many messages were settled in which way; a retried one counts again when it comes back."""

    def __len__(self) -> int:
        return len(self._jobs) + len(self._arrived)

    def __bool__(self) -> bool:
        return bool(self._jobs or self._finished or self._arrived)

    @property
    def pressing(self) -> bool:
        """Whether there is something to do for the connection's thread."""
        return bool(self._mine or self._arrived)

    @property
    def waiting(self) -> dict[str, int]:
        """How many messages of each key wait for an earlier one."""
        lanes = self._lanes
        return {} if lanes is None else lanes.waiting

    @property
    def queues(self) -> Mapping[str, int]:
        """How many there are of each queue; any thread may ask."""
        held = [*self._jobs.copy(), *(received for _, received in self._arrived.copy())]
        return Counter(one.envelope.queue for one in held)

    def begin(self) -> None:
        """Begin with nothing: whatever was in hand is the broker's again."""
        self.failure = None
        self._drop()
        for job in [*self._unsettled, *(job for job, _ in self._finished)]:
            self._release(job)
        self._unsettled.clear()
        self._finished.clear()
        self._forwarding = False
        if self._threads > 1:
            self._lanes = Lanes(self._threads, on_exit=self._on_exit)

    def end(self, grace: float) -> None:
        """Let the tasks that run finish, for so many seconds at most; nothing else begins."""
        lanes, self._lanes = self._lanes, None
        if lanes is not None and not lanes.close(grace):
            log.warning("tasks still run after %g s; their messages go back to the queue", grace)
        self._drop()

    def arrive(self, received: Received) -> None:
        """Take a message in hand; `work` does the rest."""
        self._arrived.append((time.monotonic(), received))

    def work(self) -> None:
        """Parse what came, have it handled, and acknowledge what is finished: as much as a moment allows."""
        self._take()
        self._handle_mine()
        self._forward()
        self.acknowledge()

    def acknowledge(self) -> None:
        """Acknowledge what is finished."""
        self._called = False  # before looking: who finishes from now on calls again
        if not self._finished:
            return
        self._acknowledged = time.monotonic()
        # A task may outlive its connection: its tag means another message on the channel of today.
        by_channel: dict[Subscription, list[tuple[Job, Delivery]]] = {}
        for job, settled in [self._finished.popleft() for _ in range(len(self._finished))]:
            by_channel.setdefault(job.received.subscription, []).append((job, settled))
        for subscription, finished in by_channel.items():
            if subscription.open:
                subscription.ack([job.received.tag for job, _ in finished])
            for job, settled in finished:
                self._release(job)
                if subscription.open:
                    self.outcomes[settled.outcome] += 1
                    self._told(settled)

    def overdue(self, now: float) -> list[Job]:
        """Give those whose tasks run longer than they may."""
        return [
            job
            for job in list(self._jobs.values())
            if job.began is not None and now - job.began > job.time_limit
        ]

    def age(self, now: float) -> float:
        """Give how many seconds the oldest has been in hand."""
        since = [job.arrived for job in list(self._jobs.values())[:1]] + [at for at, _ in self._arrived]
        return now - min(since, default=now)

    def give_up(self, job: Job) -> None:
        """Settle a message whose task does not end: its thread cannot be killed."""
        late = Retry(f"the tasks did not end in {job.time_limit:g} s")
        delivery = job.plan.pipeline.failed(job.received.envelope, job.message, "timeout", late)
        settled = self._handler.give_up(job, delivery)
        if settled is not None:
            self._note(job, settled)

    def _release(self, job: Job) -> None:
        """Strike a message off the notes that survive the process."""
        if job.slot is not None:
            self._handler.acknowledged(job)

    def _drop(self) -> None:
        """Forget what is not finished: nobody is to find its task overdue while there is no connection."""
        for held in (self._arrived, self._jobs, self._mine, self._together):
            held.clear()

    # --- the stages ------------------------------------------------------------------------------

    def _take(self) -> None:
        """Parse what came, and give each message to whoever handles it."""
        arrived, lanes = self._arrived, self._lanes
        if self._mine:  # parsed messages are large: no more of them than there is use for
            return
        until = time.monotonic() + _MOMENT
        while arrived and time.monotonic() < until:
            at, received = arrived.popleft()
            job = self._handler.take(received, at)
            self._jobs[received] = job
            if job.key is None and not job.plan.pipeline.tasks:
                self._together.append(job)
            elif lanes is None:
                self._mine.append(job)
            else:
                lanes.submit(job.key, partial(self._handle, job))

    def _handle_mine(self) -> None:
        """Handle what is this thread's to handle."""
        mine = self._mine
        until = time.monotonic() + _MOMENT
        while mine and self.failure is None and time.monotonic() < until:
            self._handle(mine.popleft())

    def _forward(self) -> None:
        """Have messages that are forwarded and nothing else handled: all that came while others were."""
        if not self._together or self._forwarding:
            return
        jobs, self._together = self._together, []
        self._forwarding = True
        if self._lanes is None:
            self._handle_together(jobs)
        else:
            self._lanes.submit(None, partial(self._handle_together, jobs))

    def _handle_together(self, jobs: Sequence[Job]) -> None:
        try:
            try:
                self._handler.forward(jobs)
            except BaseException:  # ours: a hook that fails has its own message fail, and that one alone
                log.exception("forwarding together failed; messages are forwarded one by one")
            for job in jobs:
                self._handle(job)
        finally:  # or nothing would be forwarded ever again
            self._forwarding = False
            self._waker.wake()

    def _handle(self, job: Job) -> None:
        if self.failure is not None or not job.received.subscription.open:
            return  # the connection is given up, and the broker has the message again
        if job.alone and self._threads == 1:
            self.acknowledge()
        try:
            self._finish(job)
        finally:
            if job.alone:
                if self._threads == 1 and self.failure is None:
                    self.acknowledge()
                self._handler.was_alone(job)

    def _finish(self, job: Job) -> None:
        try:
            settled = self._handler.finish(job)
        except BaseException as error:
            # The message stays unacknowledged: the connection is given up, and everything in hand comes back.
            if not isinstance(error, BrokerError):
                log.exception("%s: could not be settled", job.plan.name)
            failure = amqp.exceptions.RecoverableConnectionError(str(error))
            failure.__cause__ = error
            self._unsettled.append(job)
            if job.received.subscription.open:  # a task may outlive its connection; the one of today is sound
                self.failure = failure
                self._waker.wake()
            return
        if settled is not None:
            self._note(job, settled)
        else:
            self._release(job)

    def _note(self, job: Job, settled: Delivery) -> None:
        try:
            self._settled(settled)
            if log.isEnabledFor(logging.DEBUG):
                _tell(settled)
        except BaseException:
            # A plugin's number that cannot be counted, for instance: the message is settled all the same.
            log.exception("%s: a settled message could not be counted", settled.consumer)
        self._jobs.pop(job.received, None)
        self._finished.append((job, settled))
        if self._threads > 1 and not self._called and self._urgent():
            # Acknowledging is for the connection's thread alone, and waking it costs more than most tasks.
            self._called = True
            self._waker.wake()

    def _urgent(self) -> bool:
        """Say whether what is finished cannot wait until the connection's thread looks by itself."""
        lanes = self._lanes
        if lanes is None or not lanes.ready or len(self._finished) >= _MANY:
            return True
        return time.monotonic() - self._acknowledged > _MOMENT


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
