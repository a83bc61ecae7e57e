"""Messages that are handled: by threads of their own, the lanes, or else by the connection's."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import amqp

from pacer_core.model.errors import BrokerError
from pacer_core.transport.consume import Waker
from pacer_core.transport.settle import NotSettledError
from pacer_core.work.acknowledging import MOMENT, Acknowledgements
from pacer_core.work.handling import Handler
from pacer_core.work.job import Job
from pacer_core.work.lanes import Lanes

log = logging.getLogger("pacer.worker")


class Running:
    """Runs the tasks of messages: of each by itself, or together where that is for many at once.

    What comes while messages of its consumer are handled together is handled together next.

    Parameters
    ----------
    handler
        What is done with each.
    threads, on_exit
        How many run tasks, and what each does when it ends.
    waker
        Ends the connection thread's wait.
    acknowledgements
        Told of each that is finished.
    set_aside
        Told of each whose end the broker does not take.
    """

    def __init__(
        self,
        handler: Handler,
        threads: int,
        on_exit: Callable[[], None],
        waker: Waker,
        acknowledgements: Acknowledgements,
        set_aside: Callable[[Job, NotSettledError], None],
    ) -> None:
        self._handler, self._threads, self._on_exit, self._waker = handler, threads, on_exit, waker
        self._acknowledgements, self._note = acknowledgements, acknowledgements.note
        self._set_aside = set_aside
        self._together: dict[str, list[Job]] = {}
        self._busy: set[str] = set()
        self._lanes: Lanes | None = None
        self.mine: deque[Job] = deque()
        """Those that the connection's thread handles itself."""
        self.threaded = threads > 1
        """Whether tasks run in threads of their own."""
        self.failure: Exception | None = None
        """Why the connection has to be given up: something could not be settled."""

    @property
    def waiting(self) -> dict[str, int]:
        """How many messages of each key wait for an earlier one."""
        lanes = self._lanes
        return {} if lanes is None else lanes.waiting

    def begin(self, *, threaded: bool) -> None:
        """Begin with nothing; ``threaded`` has a thread of its own run the tasks, if only one."""
        self._busy.clear()
        self.threaded = self._acknowledgements.threaded = self._threads > 1 or threaded
        if self.threaded:
            self._lanes = self._acknowledgements.lanes = Lanes(self._threads, on_exit=self._on_exit)

    def end(self, grace: float) -> None:
        """Let the tasks that run finish, for so many seconds at most; nothing else begins."""
        lanes, self._lanes, self._acknowledgements.lanes = self._lanes, None, None
        if lanes is not None and not lanes.close(grace):
            log.warning("tasks still run after the grace; their messages go back to the queue")

    def drop(self) -> None:
        """Forget what has not begun."""
        self.mine.clear()
        self._together.clear()

    def assign(self, job: Job) -> None:
        """Give a message to whoever handles it."""
        if job.at_once:
            self._together.setdefault(job.plan.name, []).append(job)
        elif self._lanes is None:
            self.mine.append(job)
        else:
            self._lanes.submit(job.key, partial(self._handle, job))

    def handle_mine(self) -> None:
        """Handle what is this thread's to handle."""
        mine = self.mine
        until = time.monotonic() + MOMENT
        while mine and self.failure is None and time.monotonic() < until:
            self._handle(mine.popleft())

    def handle_together(self) -> None:
        """Have messages handled that are handled together: of each consumer what came while others were."""
        for consumer in [name for name in self._together if name not in self._busy]:
            jobs = self._together.pop(consumer)
            most = jobs[0].at_once
            if len(jobs) > most:
                self._together[consumer] = jobs[most:]
            self._busy.add(consumer)
            work = partial(self._handle_many, consumer, jobs[:most])
            if self._lanes is None:
                work()
            else:
                self._lanes.submit(None, work)

    def _handle_many(self, consumer: str, jobs: Sequence[Job]) -> None:
        try:
            try:
                if all(map(self._is_current, jobs)):
                    self._handler.begin(jobs)
            except BaseException:  # ours: what fails of a plugin's fails for its own message alone
                log.exception("%s: handling together failed; messages are handled one by one", consumer)
            # What may kill the process goes last: the others are noted by now, and would be blamed for it.
            for job in sorted(jobs, key=lambda one: one.alone):
                self._handle(job)
        finally:  # or nothing of this consumer would be handled ever again
            self._busy.discard(consumer)
            self._waker.wake()

    def _is_current(self, job: Job) -> bool:
        """Say whether a message is ours: else the connection is given up, and the broker has it again."""
        return self.failure is None and job.received.subscription.open

    def _handle(self, job: Job) -> None:
        if not self._is_current(job):
            self._acknowledgements.give_back(job)
            return
        if job.key is not None and not job.received.subscription.holds():
            self.fail(job, BrokerError("this process stood still: its messages may be another's by now"))
            return
        if job.alone and not self.threaded:
            self._acknowledgements.acknowledge()
        try:
            self._finish(job)
        finally:
            if job.alone:
                if not self.threaded and self.failure is None:
                    self._acknowledgements.acknowledge()
                self._handler.was_alone(job)

    def _finish(self, job: Job) -> None:
        try:
            settled = self._handler.finish(job)
        except NotSettledError as error:
            self._set_aside(job, error)
            return
        except BaseException as error:
            self.fail(job, error)
            return
        if settled is not None:
            self._note(job, settled)
        else:
            self._acknowledgements.release(job)

    def fail(self, job: Job, error: BaseException) -> None:
        """Give up the connection: the message stays unacknowledged, and everything in hand comes back."""
        if not isinstance(error, BrokerError):
            log.exception("%s: could not be settled", job.plan.name)
        failure = amqp.exceptions.RecoverableConnectionError(str(error))
        failure.__cause__ = error
        self._acknowledgements.give_back(job)
        if job.received.subscription.open:  # a task may outlive its connection; the one of today is sound
            self.failure = failure
            self._waker.wake()
