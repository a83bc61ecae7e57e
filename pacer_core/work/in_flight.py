"""The messages that a worker has in hand: handled by its threads, acknowledged by its connection's.

They go through in batches, and each stage has a whole batch before the next one begins: all are read from the
socket, all parsed, all handled, all acknowledged. Code that runs fifty times in a row stays in the
processor's caches; message by message, the same steps take a third longer.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any
from weakref import WeakSet

from pacer_core.config.model import Broker
from pacer_core.model.errors import RefusedError, Reject, Retry
from pacer_core.model.messages import Outcome
from pacer_core.model.secrets import redact
from pacer_core.transport.consume import Received, Waker
from pacer_core.transport.delivery_limits import Limit
from pacer_core.transport.roll_call import asked
from pacer_core.transport.settle import NotSettledError
from pacer_core.transport.signing import Signer
from pacer_core.work.acknowledging import MOMENT, Acknowledgements, Observer
from pacer_core.work.handling import Handler
from pacer_core.work.intake import Intake
from pacer_core.work.job import Job
from pacer_core.work.often_returned import OftenReturned
from pacer_core.work.running import Running
from pacer_core.work.set_aside import Aside

log = logging.getLogger("pacer.worker")

_LARGE = 1024 * 1024  # bytes of a body; as many smaller ones as there may be in hand are no harm
_ROOM = 256 * 1024 * 1024  # bytes of the bodies in hand with which no further one is wanted


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
    intake
        Takes the messages that go into partitions.
    partitions
        The queues in which somebody may ask who reads them.
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
        intake: Intake | None = None,
        partitions: Container[str] = (),
    ) -> None:
        self._intake, self._questioned = intake, partitions
        self._handler = handler
        self._arrived: deque[tuple[float, Received]] = deque()
        self._waiting = False
        self._jobs: dict[Received, Job] = {}
        self._large: WeakSet[Received] = WeakSet()  # what nobody holds any more leaves it
        self._aside = Aside()
        self._acknowledgements = done = Acknowledgements(handler, self._jobs, waker, settled, acknowledged)
        self._often = OftenReturned(broker, signer, handler, done, waker)
        self._running = Running(handler, threads, on_exit, waker, done, self._set_aside)
        self.partitions: dict[str, str] = {}
        """The partitions that messages have come from, with the last question who reads them, or empty."""
        self.outcomes: Counter[Outcome] = done.outcomes
        """How many messages were settled in which way; a retried one counts again when it comes back."""

    def __len__(self) -> int:
        return len(self._jobs) + len(self._arrived) + len(self._often) + len(self._aside)

    def __bool__(self) -> bool:
        # What is renewed leaves that for what is finished: asked for first, it cannot be missed.
        return bool(self._often or self._jobs or self._acknowledgements or self._arrived)

    @property
    def threaded(self) -> bool:
        """Whether tasks run in threads of their own."""
        return self._running.threaded

    @property
    def failure(self) -> Exception | None:
        """Why the connection has to be given up: something could not be settled."""
        return self._running.failure

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
        if self._intake is not None and self._intake.pressing:
            return True
        return bool(self._running.mine or (self._arrived and not self._waiting) or self._often.refused)

    @property
    def heavy(self) -> bool:
        """Whether the bodies in hand are so large that no more of them are to be read yet."""
        return bool(self._large) and self._weight(self._held()) > _ROOM

    @property
    def waiting(self) -> dict[str, int]:
        """How many messages of each key wait for an earlier one."""
        return self._running.waiting

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
        self._running.failure = None
        self._drop()
        self._acknowledgements.begin()
        returned = self._often.begin(limits)
        self._running.begin(threaded=returned and threads)

    def open(self, connection: Any) -> None:
        """Open what is needed for what is going to be read from a connection."""
        if self._intake is not None:
            self._intake.open(connection)

    def end(self, grace: float) -> None:
        """Let the tasks that run finish, for so many seconds at most; nothing else begins."""
        deadline = time.monotonic() + grace
        self._running.end(grace)
        intake = self._intake
        while (self._often.copies or (intake and intake.publishing)) and time.monotonic() < deadline:
            time.sleep(MOMENT)
            if intake is not None:
                for job, error in intake.ended():
                    if error is None:
                        self._acknowledgements.copied(job.received)
        self._drop()

    def beat(self) -> None:
        """Keep the connections for fresh copies and for partitions alive."""
        self._often.beat()
        if self._intake is not None:
            self._intake.beat()

    def close(self) -> None:
        """Close those connections."""
        self._often.close()
        if self._intake is not None:
            self._intake.close()

    def arrive(self, received: Received) -> None:
        """Take a message in hand; `work` does the rest."""
        at = time.monotonic()
        if len(received.envelope.body) >= _LARGE:
            self._large.add(received)
        if received.envelope.returns and self._often.early(received, at):
            return
        self._arrived.append((at, received))

    def work(self) -> None:
        """Parse what came, have it handled, and acknowledge what is finished: as much as a moment allows."""
        self._take()
        self._spread()
        self._running.handle_mine()
        self._running.handle_together()
        self._settle_aside()
        self._acknowledgements.acknowledge()

    def acknowledge(self) -> None:
        """Acknowledge what is finished."""
        self._acknowledgements.acknowledge()

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
        since += self._often.arrived
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
            self._acknowledgements.note(job, settled)

    def _drop(self) -> None:
        """Forget what is not finished: nobody is to find its task overdue while there is no connection."""
        self._often.drop()
        self._running.drop()
        if self._intake is not None:
            self._intake.drop()
        self._arrived.clear()
        self._jobs.clear()
        self._aside.give_back()

    def _take_refused(self) -> None:
        """Handle as they are those that cannot be copied."""
        for received, at, job in self._often.take_refused():
            if job is None:
                self._arrived.append((at, received))
            else:
                self._jobs[received] = job
                self._running.assign(job)

    def _take(self) -> None:
        """Parse what came, and give each message to whoever handles it."""
        arrived = self._arrived
        self._take_refused()
        if self._running.mine:  # parsed messages are large: no more of them than there is use for
            return
        until = time.monotonic() + MOMENT
        self._waiting = False
        while arrived and time.monotonic() < until:
            if self._has_to_wait(arrived[0][1]):
                self._waiting = True
                return
            at, received = arrived.popleft()
            if received.envelope.partition:
                self.partitions.setdefault(received.envelope.partition, "")
            elif received.envelope.queue in self._questioned and asked(received.envelope):
                self.partitions[received.envelope.queue] = received.envelope.correlation_id
                self._acknowledgements.copied(received)
                continue
            job = self._handler.take(received, at)
            left = self._aside.known(received.envelope)
            if left is not None:
                self._aside.add(job, left, self._aside.why)
                continue
            if received.envelope.returns and self._often.in_order(job):
                continue
            self._jobs[received] = job
            if self._intake is None or not self._intake.takes(job):
                self._running.assign(job)

    def _spread(self) -> None:
        """Have messages put into partitions, and acknowledge those that are, before others of their keys."""
        intake = self._intake
        if intake is None or not intake.pressing or self._running.failure is not None:
            return
        ended = intake.ended()
        for job, error in ended:
            if error is None:
                self._jobs.pop(job.received, None)
                self._acknowledgements.copied(job.received)
            elif isinstance(error, RefusedError):
                refused = Reject(f"no partition can have it: {error}")
                job.failed = job.plan.pipeline.failed(job.received.envelope, job.message, "key", refused)
                self._running.assign(job)
            else:
                self._running.fail(job, error)
                return
        self._acknowledgements.acknowledge()
        intake.go_on(job for job, _ in ended)

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
        self._acknowledgements.release(job)
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
                self._running.fail(job, error)
                return
            who = {"correlation_id": job.received.envelope.correlation_id}
            log.info("%s: no longer set aside", job.plan.name, extra=who)
            self._acknowledgements.note(job, settled)
