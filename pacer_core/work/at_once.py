"""What is done for many messages of a consumer at once, ahead of finishing each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pacer_core.model.consumers import Task
from pacer_core.model.messages import Clients, Envelope
from pacer_core.pipeline.spans import Traces
from pacer_core.transport.forward import Forwarder
from pacer_core.work.breakers import Breakers
from pacer_core.work.gate import TaskGate
from pacer_core.work.job import Job
from pacer_core.work.quarantine import Quarantine


class AtOnce:
    """Forwards messages together, and runs the task that takes many at once.

    ``clients`` are those of each consumer by its name; ``note`` notes that a message goes into its tasks.
    """

    def __init__(
        self,
        forwarder: Forwarder,
        breakers: Breakers,
        quarantine: Quarantine,
        traces: Traces | None,
        clients: Mapping[str, Clients],
        note: Callable[[Job], None],
    ) -> None:
        self._forwarder, self._breakers, self._quarantine = forwarder, breakers, quarantine
        self._traces, self._clients, self._note = traces, clients, note

    def begin(self, jobs: Sequence[Job]) -> None:
        """Begin what is to be done with messages of one consumer; `Handler.finish` goes on with each.

        Those that need care are left as they are.
        """
        plain = [job for job in jobs if job.failed is None and not job.alone]
        said = self._forwarder.ahead([(job.received.envelope, job.message) for job in plain])
        for job, ahead in zip(plain, said, strict=True):
            job.ahead = ahead
        task = jobs[0].plan.takes_many
        if task is not None:
            self._run(task, [job for job in plain if _is_pending(task, job.received.envelope)])

    def _run(self, task: Task, jobs: Sequence[Job]) -> None:
        if len(jobs) < 2:
            return  # to finish it does the same
        plan = jobs[0].plan
        gate = TaskGate(plan, self._breakers, frozenset())
        if gate.closed(task):
            return
        given = [(job.received.envelope, job.message) for job in jobs]
        self._quarantine.enter(alone=False)
        try:
            for job in jobs:
                self._note(job)
            clients = self._clients[plan.name]
            if self._traces is None:
                begun = plan.pipeline.begin(task, given, clients, gate)
            else:
                with self._traces.together(task, [envelope for envelope, _ in given]):
                    begun = plan.pipeline.begin(task, given, clients, gate)
        finally:
            self._quarantine.leave(alone=False)
        if begun is not None:
            for job, one in zip(jobs, begun, strict=True):
                job.begun = one


def _is_pending(task: Task, envelope: Envelope) -> bool:
    return task.name not in envelope.done and task.name not in envelope.rejected
