"""The messages that a worker has in hand: handled by its threads, acknowledged by its connection's.

They go through in batches, and each stage has a whole batch before the next one begins: all are read from the
socket, all parsed, all handled, all acknowledged. Code that runs fifty times in a row stays in the
processor's caches; message by message, the same steps take a third longer.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from weakref import WeakSet

import amqp

from pacer_core.config.model import Broker
from pacer_core.model.errors import BrokerError, Retry
from pacer_core.model.messages import Delivery, Outcome
from pacer_core.model.secrets import redact
from pacer_core.transport.consume import Received, Subscription, Waker
from pacer_core.transport.delivery_limits import Limit
from pacer_core.transport.renewal import Renewal, Renewer
from pacer_core.transport.settle import NotSettledError
from pacer_core.transport.signing import Signer
from pacer_core.work.handling import Handler
from pacer_core.work.job import Job
from pacer_core.work.lanes import Lanes
from pacer_core.work.set_aside import Aside

log = logging.getLogger("pacer.worker")

_MOMENT = 0.01  # seconds that a stage may take, and that an acknowledgement waits for others
_MANY = 16  # acknowledgements do not wait: the broker sends no more than the prefetch before it has them

_LARGE = 1024 * 1024  # bytes of a body; as many smaller ones as there may be in hand are no harm
_ROOM = 256 * 1024 * 1024  # bytes of the bodies in hand with which no further one is wanted

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
    broker
        Where messages that were returned often are copied, to count anew.
    signer
        Signs these copies; without one they would be first sights.
    """

    def __init__(
        self,
        handler: Handler,
        threads: int,
        on_exit: Callable[[], None],
        waker: Waker,
        settled: Observer,
        acknowledged: Observer,
        broker: Broker,
        signer: Signer | None = None,
    ) -> None:
        self._handler, self._threads, self._on_exit, self._waker = handler, threads, on_exit, waker
        self._settled, self._told = settled, acknowledged
        self._arrived: deque[tuple[float, Received]] = deque()
        self._jobs: dict[Received, Job] = {}
        self._mine: deque[Job] = deque()
        self._together: list[Job] = []
        self._finished: deque[tuple[Received, Delivery | None]] = deque()  # none: it has a fresh copy
        self._renewer = Renewer(broker, signer, self._renewed)
        self._large: WeakSet[Received] = WeakSet()  # what nobody holds any more leaves it
        self._limits: Mapping[str, Limit] = {}
        self._renewing: dict[Received, tuple[float, Job | None]] = {}
        self._refused: deque[tuple[Received, float, Job | None]] = deque()
        self._kept: set[Received] = set()
        self._rejected: set[Received] = set()
        self._aside = Aside()
        self._noted: dict[Received, Job] = {}  # done, and not acknowledged
        self._lanes: Lanes | None = None
        self._forwarding = self._called = self._waiting = False
        self._acknowledged = 0.0
        self.threaded = threads > 1
        """Whether tasks run in threads of their own."""
        self.failure: Exception | None = None
        """Why the connection has to be given up: something could not be settled."""
        self.outcomes: Counter[Outcome] = Counter()
        """How many messages were settled in which way; a retried one counts again when it comes back."""

    def __len__(self) -> int:
        return len(self._jobs) + len(self._arrived) + len(self._renewing) + len(self._aside)

    def __bool__(self) -> bool:
        # What is renewed leaves that for what is finished or refused: asked for first, it cannot be missed.
        return bool(self._renewing or self._refused or self._jobs or self._finished or self._arrived)

    @property
    def aside(self) -> tuple[int, str]:
        """How many messages are set aside, for which nobody waits, and what the broker says of one."""
        number = len(self._aside)
        return number, self._aside.why if number else ""

    def full(self, prefetch: int) -> bool:
        """Say whether what is set aside leaves little room for others, and may still become more."""
        return self._aside.full(prefetch)

    @property
    def pressing(self) -> bool:
        """Whether there is something to do for the connection's thread."""
        return bool(self._mine or (self._arrived and not self._waiting) or self._refused)

    @property
    def heavy(self) -> bool:
        """Whether the bodies in hand are so large that no more of them are to be read yet."""
        return bool(self._large) and self._weight(self._held()) > _ROOM

    @property
    def waiting(self) -> dict[str, int]:
        """How many messages of each key wait for an earlier one."""
        lanes = self._lanes
        return {} if lanes is None else lanes.waiting

    @property
    def queues(self) -> Mapping[str, int]:
        """How many there are of each queue; any thread may ask."""
        return Counter(one.envelope.queue for one in self._held())

    def _held(self) -> list[Received]:
        return [*self._jobs.copy(), *(received for _, received in self._arrived.copy())]

    def _weight(self, some: Iterable[Received]) -> int:
        """Give the bytes of the large bodies among some messages."""
        return sum(len(one.envelope.body) for one in some if one in self._large)

    def begin(self, limits: Iterable[Limit] = (), *, threads: bool = True) -> None:
        """Begin with nothing: whatever was in hand is the broker's again.

        ``limits`` are those of queues that may drop what is returned often. Where there are any, a thread of
        its own runs the tasks, if only one: what comes meanwhile has to be looked at. Not without
        ``threads``.
        """
        self.failure = None
        self._drop()
        for job in list(self._noted.values()):
            self._release(job)
        self._finished.clear()
        self._rejected.clear()
        self._forwarding = False
        self._limits = {one.queue: one for one in limits if one.quorum is not False}
        self.threaded = self._threads > 1 or (bool(self._limits) and threads)
        if self.threaded:
            self._lanes = Lanes(self._threads, on_exit=self._on_exit)

    def end(self, grace: float) -> None:
        """Let the tasks that run finish, for so many seconds at most; nothing else begins."""
        deadline = time.monotonic() + grace
        lanes, self._lanes = self._lanes, None
        if lanes is not None and not lanes.close(grace):
            log.warning("tasks still run after the grace; their messages go back to the queue")
        while self._copies() and time.monotonic() < deadline:
            time.sleep(_MOMENT)
        self._drop()

    def beat(self) -> None:
        """Keep the connection for fresh copies alive."""
        self._renewer.beat()

    def close(self) -> None:
        """Close that connection."""
        self._renewer.close()

    def arrive(self, received: Received) -> None:
        """Take a message in hand; `work` does the rest."""
        at = time.monotonic()
        if len(received.envelope.body) >= _LARGE:
            self._large.add(received)
        if received.envelope.returns and self._renew_early(received, at):
            return
        self._arrived.append((at, received))

    def work(self) -> None:
        """Parse what came, have it handled, and acknowledge what is finished: as much as a moment allows."""
        self._take()
        self._handle_mine()
        self._forward()
        self._settle_aside()
        self.acknowledge()

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
                self._release(self._noted.get(one))

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
        since += self._aside.arrived
        since += [at for at, _ in list(self._renewing.values())[:1]]
        return now - min(since, default=now)

    def give_up(self, job: Job) -> None:
        """Settle a message whose task does not end: its thread cannot be killed."""
        late = Retry(f"the tasks did not end in {job.time_limit:g} s")
        delivery = job.plan.pipeline.failed(job.received.envelope, job.message, "timeout", late)
        try:
            settled = self._handler.give_up(job, delivery)
        except NotSettledError as error:
            self._set_aside(job, error)
            return
        if settled is not None:
            self._note(job, settled)

    def _release(self, job: Job | None) -> None:
        """Strike a message off the notes that survive the process."""
        if job is not None and job.slot is not None:
            self._noted.pop(job.received, None)
            self._handler.acknowledged(job)

    def _drop(self) -> None:
        """Forget what is not finished: nobody is to find its task overdue while there is no connection."""
        for _, job in list(self._renewing.values()):
            if job is not None:
                self._handler.release(job)
        for held in (
            self._arrived,
            self._jobs,
            self._mine,
            self._together,
            self._renewing,
            self._refused,
            self._kept,
        ):
            held.clear()
        self._aside.give_back()

    # --- messages that were returned often -------------------------------------------------------

    def _near(self, received: Received) -> Limit | None:
        """Give the limit that a message nears."""
        limit = self._limits.get(received.envelope.queue)
        if limit is None or received.envelope.returns < limit.renew_at or received in self._kept:
            return None
        return limit

    def _renew_early(self, received: Received, at: float) -> bool:
        """Have a message copied before anything else is done with it; say whether it is.

        Not one that is not to be overtaken: its key comes first, as long as it can afford to wait for that.
        """
        limit = self._near(received)
        if limit is None:
            return False
        queue = received.envelope.queue
        if self._handler.is_ordered(queue) and received.envelope.returns < limit.last:
            return False
        self._renewing[received] = (at, None)
        self._renewer.submit(Renewal(received, self._handler.consumer(queue)))
        return True

    def _renew_in_order(self, job: Job) -> bool:
        """Have a message copied, and hold up those of its key that come after it."""
        if not job.received.envelope.returns or job.failed is not None or self._near(job.received) is None:
            return False
        ordered = job.key is not None
        self._handler.hold(job)
        self._renewing[job.received] = (job.arrived, job)
        self._renewer.submit(Renewal(job.received, job.plan.name, ordered=ordered))
        return True

    def _renewed(self, renewal: Renewal, confirmed: bool) -> None:
        """Take note of a copy, in the thread that makes them."""
        received = renewal.received
        held = self._renewing.get(received)
        if held is None:
            return  # the connection was given up, and the broker has the message again
        if confirmed:
            self._finished.append((received, None))
        else:
            self._refused.append((received, *held))
        self._renewing.pop(received, None)
        self._waker.wake()

    def _take_refused(self) -> None:
        """Handle as they are those that cannot be copied."""
        while self._refused:
            received, at, job = self._refused.popleft()
            self._kept.add(received)
            if job is None:
                self._arrived.append((at, received))
            else:
                self._jobs[received] = job
                self._assign(job)

    def _copies(self) -> bool:
        """Say whether copies are under way whose messages can still be acknowledged."""
        return any(received.subscription.open for received in list(self._renewing))

    # --- the stages ------------------------------------------------------------------------------

    def _take(self) -> None:
        """Parse what came, and give each message to whoever handles it."""
        arrived = self._arrived
        self._take_refused()
        if self._mine:  # parsed messages are large: no more of them than there is use for
            return
        until = time.monotonic() + _MOMENT
        self._waiting = False
        while arrived and time.monotonic() < until:
            if self._has_to_wait(arrived[0][1]):
                self._waiting = True
                return
            at, received = arrived.popleft()
            job = self._handler.take(received, at)
            left = self._aside.known(received.envelope)
            if left is not None:
                self._aside.add(job, left, self._aside.why)
                continue
            if self._renew_in_order(job):
                continue
            self._jobs[received] = job
            self._assign(job)

    def _has_to_wait(self, received: Received) -> bool:
        """Say whether a message is not parsed yet, nor what is behind it.

        One that has been in crashes waits until nobody else would be blamed for its parser, and a large one
        until there is room: what is made of a body takes many times its size.
        """
        if received in self._large and self._weight([*self._jobs.copy(), received]) > _ROOM and self._jobs:
            return True
        if not self._handler.is_suspect(received):
            return False
        return bool(self._jobs) or not self._handler.nobody_noted

    def _assign(self, job: Job) -> None:
        """Give a message to whoever handles it."""
        if job.key is None and not job.plan.pipeline.tasks:
            self._together.append(job)
        elif self._lanes is None:
            self._mine.append(job)
        else:
            self._lanes.submit(job.key, partial(self._handle, job))

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
        if job.alone and not self.threaded:
            self.acknowledge()
        try:
            self._finish(job)
        finally:
            if job.alone:
                if not self.threaded and self.failure is None:
                    self.acknowledge()
                self._handler.was_alone(job)

    def _finish(self, job: Job) -> None:
        try:
            settled = self._handler.finish(job)
        except NotSettledError as error:
            self._set_aside(job, error)
            return
        except BaseException as error:
            self._fail(job, error)
            return
        if settled is not None:
            self._note(job, settled)
        else:
            self._release(job)

    def _set_aside(self, job: Job, error: NotSettledError) -> None:
        who = {"correlation_id": job.received.envelope.correlation_id}
        log.error(
            "%s: set aside, unacknowledged in %s, its tasks are not run again: %s",
            job.plan.name,
            job.received.envelope.queue,
            redact(str(error)),
            extra=who,
        )
        self._jobs.pop(job.received, None)
        self._release(job)
        if job.received.subscription.open:
            self._aside.add(job, error.unsettled, redact(str(error)))
        else:
            self._aside.remember(job, error.unsettled)

    def _settle_aside(self) -> None:
        """Try the ends of those that are set aside, until the first that is not taken."""
        held = self._aside.due()
        while held:
            job, unsettled = held.pop(0)
            try:
                settled = self._handler.resume(job, unsettled)
            except NotSettledError as error:
                self._aside.put_off([*held, (job, error.unsettled)], redact(str(error)))
                return
            except Exception as error:
                self._aside.put_off([*held, (job, unsettled)], self._aside.why)
                self._fail(job, error)
                return
            who = {"correlation_id": job.received.envelope.correlation_id}
            log.info("%s: no longer set aside", job.plan.name, extra=who)
            self._note(job, settled)

    def _fail(self, job: Job, error: BaseException) -> None:
        """Give up the connection: the message stays unacknowledged, and everything in hand comes back."""
        if not isinstance(error, BrokerError):
            log.exception("%s: could not be settled", job.plan.name)
        failure = amqp.exceptions.RecoverableConnectionError(str(error))
        failure.__cause__ = error
        if job.received.subscription.open:  # a task may outlive its connection; the one of today is sound
            if job.slot is not None:
                self._noted[job.received] = job  # until there is another one, and this process is sound
            self.failure = failure
            self._waker.wake()
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
