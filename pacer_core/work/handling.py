"""What happens to a message between its arrival and its acknowledgement, in whichever thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import attrs
from attrs import evolve

from pacer_core.config.model import ConsumerPlan
from pacer_core.model.errors import Reject, Retry
from pacer_core.model.messages import Context, Delivery, Envelope, Outcome
from pacer_core.observe.logs import correlation_id
from pacer_core.pipeline.spans import Traces
from pacer_core.pipeline.tasks import Gate, of_a_task
from pacer_core.transport.consume import Received
from pacer_core.transport.forward import Forwarder
from pacer_core.transport.renewal import STEP
from pacer_core.transport.settle import NotSettledError, Settler, Unsettled
from pacer_core.work.at_once import AtOnce
from pacer_core.work.breakers import Breakers
from pacer_core.work.clients import OpenIntegrations
from pacer_core.work.crashes import ALONE, Counts, Notes, fingerprint
from pacer_core.work.gate import TaskGate
from pacer_core.work.job import Job
from pacer_core.work.key_order import Order, with_dependents
from pacer_core.work.quarantine import Quarantine

_NONE: frozenset[str] = frozenset()
_NO_INTAKE = (
    "it is in the queue of a partition, and not from a queue whose consumer has that key space: publish to "
    "the queue of its consumer instead"
)
_OFF = 60.0
"""Seconds until it is looked again whether a consumer that was switched off handles its messages."""
_NOBODY: Mapping[str, ConsumerPlan] = MappingProxyType({})
_ACKED = 1.0  # seconds that a suspect waits for acknowledgements at most: those of others, and its own


class Handler:
    """Parses messages, finds their keys, runs their tasks, and settles them."""

    def __init__(
        self,
        by_queue: Mapping[str, ConsumerPlan],
        settler: Settler,
        integrations: OpenIntegrations,
        breakers: Breakers,
        forwarder: Forwarder,
        notes: Notes | None = None,
        counts: Counts | None = None,
        traces: Traces | None = None,
        partitions: Mapping[str, ConsumerPlan] = _NOBODY,
        switched_off: Mapping[str, ConsumerPlan] = _NOBODY,
    ) -> None:
        self._by_queue, self._partitions = {**by_queue, **partitions}, partitions
        self._switched_off = switched_off
        self._settler = settler
        self._breakers = breakers
        self._forwarder = forwarder
        self._notes, self._counts, self._traces = notes, counts, traces
        self._clients = {plan.name: integrations.clients(plan) for plan in by_queue.values()}
        self._gated = {plan.name for plan in by_queue.values() if traces is not None or _needs_gate(plan)}
        self._quarantine = Quarantine()
        self._order = Order()
        self._at_once = AtOnce(forwarder, breakers, self._quarantine, traces, self._clients, self._note)
        self._parsing: tuple[ConsumerPlan, float] | None = None

    def take(self, received: Received, arrived: float) -> Job:
        """Parse a message and work out its key; called by one thread, in the order of arrival.

        ``arrived`` is when it came, on the monotonic clock.
        """
        token = correlation_id.set(received.envelope.correlation_id)
        try:
            return self._take(received, arrived)
        finally:
            correlation_id.reset(token)

    def _take(self, received: Received, arrived: float) -> Job:
        envelope = received.envelope
        plan = self._by_queue.get(envelope.queue)
        if plan is None or envelope.queue in self._partitions:
            return self._not_ours(received, arrived)
        job = Job(received, plan, arrived=arrived)
        if self._forwarder.comes_back(envelope):
            loop = Reject(f"the message comes back from {envelope.path[-1]}: a loop of forwarding rules")
            return _ended_by("forward", job, loop)
        crashes = 0 if self._counts is None else self._counts.of(envelope)
        if crashes >= plan.config.crashes:
            died = Reject(f"worker died {crashes} times while it handled this message")
            return _ended_by("worker", job, died)
        job.alone = crashes >= ALONE
        if self._notes is None:
            self._read(job)
            return job
        job.mark = fingerprint(envelope)
        slot = self._notes.enter(job.mark, job.time_limit, parser=True)
        try:
            self._read(job, slot)
        finally:
            self._notes.leave(slot)
        return job

    def _not_ours(self, received: Received, arrived: float) -> Job:
        """Settle what lies in a partition, and whose consumer is switched off meanwhile, or unknown.

        The one waits; the other is dead, in the dead queue of its partition.
        """
        envelope = received.envelope
        if (off := self._switched_off.get(envelope.queue)) is not None:
            waits = Retry(f"consumer {off.name!r} is switched off", after=_OFF, counted=False)
            return _ended_by("consumer", Job(received, off, arrived=arrived), waits)
        job = Job(received, self._by_queue[envelope.home], arrived=arrived)
        found = evolve(envelope, queue=envelope.home, partition="")
        return _ended_by("key", job, Reject(_NO_INTAKE), found)

    def _read(self, job: Job, slot: int | None = None) -> None:
        """Parse a message and work out its key; what is late for that is its parser, whose limit is known."""
        received, plan = job.received, job.plan
        self._parsing = plan, time.monotonic()
        parsed = plan.pipeline.parse(received.envelope)
        self._parsing = None
        if self._notes is not None:
            self._notes.stays(slot)
        if isinstance(parsed, Delivery):
            job.failed = parsed
            return
        job.message = parsed
        key = plan.pipeline.type.key
        if received.envelope.key is not None:
            job.key = received.envelope.key or None
        elif key is not None:
            try:
                clients = self._clients[plan.name]
                context = Context(
                    received.envelope, plan.name, options=plan.pipeline.options, clients=clients
                )
                value = key.of(parsed, context)
                job.key = None if value is None else f"{key.space}:{value}"
            except BaseException as error:
                job.failed = plan.pipeline.failed(received.envelope, parsed, "key", of_a_task(error))

    def parses_too_long(self, now: float) -> ConsumerPlan | None:
        """Give the consumer whose message is in its parser for longer than it may; any thread may ask."""
        parsing = self._parsing
        if parsing is None:
            return None
        plan, began = parsing
        return plan if now - began > plan.config.task_timeout.total_seconds() else None

    @property
    def nobody_noted(self) -> bool:
        """Whether no message would be blamed if the process died now."""
        return self._notes is None or self._notes.empty

    def is_suspect(self, received: Received) -> bool:
        """Say whether a message has been in crashes, and is to be parsed with nothing else in hand."""
        if self._counts is None or not received.envelope.redelivered:
            return False
        count = self._counts.of(received.envelope)
        plan = self._by_queue.get(received.envelope.queue)
        if plan is None or not 0 < count < plan.config.crashes:
            return False
        return count >= ALONE or self._counts.in_parser(received.envelope)

    def is_ordered(self, queue: str) -> bool:
        """Say whether messages of a queue may not overtake others of their key."""
        return _ordered(self._by_queue[queue])

    def consumer(self, queue: str) -> str:
        """Give the name of the consumer that reads a queue."""
        return self._by_queue[queue].name

    def hold(self, job: Job) -> None:
        """Let later messages of its key wait for a message that is put behind them."""
        self._placed(job, Outcome.RETRIED, STEP)

    def release(self, job: Job) -> None:
        """Take `hold` back: the message is where it was."""
        self._placed(job, Outcome.ACKED, None)

    def _placed(self, job: Job, outcome: Outcome, step: int | None) -> None:
        if job.key is None or not _ordered(job.plan):
            return
        envelope = job.received.envelope
        ended = {*envelope.done, *envelope.rejected}
        pending = tuple(task.name for task in job.plan.pipeline.tasks if task.name not in ended)
        still = Delivery(envelope, job.plan.name, outcome, pending=pending)
        self._order.settled(job.plan.config.type, job.key, still, step)

    def _note(self, job: Job) -> None:
        """Note that a message goes into its tasks, which may end this process."""
        if self._notes is not None and job.slot is None:
            job.slot = self._notes.enter(job.mark, job.time_limit)
        job.began = time.monotonic()

    def begin(self, jobs: Sequence[Job]) -> None:
        """Do for messages of one consumer what is done for many at once, ahead of finishing each."""
        self._at_once.begin(jobs)

    def finish(self, job: Job) -> Delivery | None:
        """Run the tasks and settle; ``None`` where somebody else settled the message meanwhile.

        Raises
        ------
        NotSettledError
            Where the broker does not take what it leaves behind; `resume` tries again.
        BrokerError
            Where it could not be settled; the message has to stay unacknowledged.
        """
        token = correlation_id.set(job.received.envelope.correlation_id)
        try:
            if self._traces is None:
                return self._finish(job)
            with self._traces.message(job.received.envelope, job.plan.name) as ended:
                settled = self._finish(job)
                ended(settled)
                return settled
        finally:
            correlation_id.reset(token)

    def _finish(self, job: Job) -> Delivery | None:
        delivery = job.failed if job.failed is not None and job.settled_as_is else self._in_quarantine(job)
        return self._settle(job, delivery) if job.claim() else None

    def give_up(self, job: Job, delivery: Delivery) -> Delivery | None:
        """Settle a message whose task does not end; ``None`` where it just did."""
        return self._settle(job, delivery) if job.claim() else None

    def resume(self, job: Job, unsettled: Unsettled) -> Delivery:
        """Settle a message whose tasks have run, and whose end the broker did not take.

        Raises
        ------
        NotSettledError, BrokerError
            As `finish`.
        """
        token = correlation_id.set(unsettled.delivery.envelope.correlation_id)
        try:
            return self._noted(job, lambda: self._settler.resume(unsettled))
        finally:
            correlation_id.reset(token)

    def _in_quarantine(self, job: Job) -> Delivery:
        self._quarantine.enter(alone=job.alone)
        try:
            if self._notes is not None and job.alone:  # what is not acknowledged would be blamed as well
                self._notes.wait_for_others(_ACKED)
            self._note(job)
            try:
                return self._process(job)
            finally:
                self._ended(job)
        finally:
            if not job.alone:
                self._quarantine.leave(alone=False)

    def _ended(self, job: Job) -> None:
        """Note that its tasks are over, unless somebody has given them up meanwhile."""
        with job.lock:
            if self._notes is not None:
                self._notes.stays(job.slot)

    def acknowledged(self, job: Job) -> None:
        """Take note that the broker has been answered, or has the message again: it can do no more harm."""
        with job.lock:
            slot, job.slot = job.slot, None
        if self._notes is not None:
            self._notes.leave(slot)

    def was_alone(self, job: Job) -> None:
        """Let others begin after one that ran alone, once it is acknowledged, or that takes too long."""
        deadline = time.monotonic() + _ACKED
        while job.slot is not None and time.monotonic() < deadline:
            time.sleep(0.002)
        if job.began is not None:
            self._quarantine.leave(alone=True)

    def _process(self, job: Job) -> Delivery:
        plan, envelope = job.plan, job.received.envelope
        routes = self._forwarder.tasks(envelope, job.message, job.ahead)
        if job.failed is not None:
            if not routes:
                return job.failed
            unread = next(iter(job.failed.failures), None)  # none where the message is passed over
            return plan.pipeline.process(envelope, None, routes=routes, unread=unread, ignored=unread is None)
        held = None
        if job.key is not None and _ordered(plan):
            held = self._order.held(plan.config.type, job.key, envelope.correlation_id)
        gate: Gate | None = None
        if plan.name in self._gated:
            behind = _NONE if held is None else with_dependents(held.tasks, plan.pipeline.tasks)
            gate = TaskGate(plan, self._breakers, behind)
            if self._traces is not None:
                gate = self._traces.gate(gate)
        delivery = plan.pipeline.process(
            envelope, job.message, self._clients[plan.name], gate, routes=routes, begun=job.begun
        )
        if held is not None and any(failure.kind == "behind" for failure in delivery.failures):
            # Into the step of the copy that it waits for, whatever its own tasks wished: it comes after it.
            delivery = attrs.evolve(delivery, delay=float(held.step))
        return delivery

    def _settle(self, job: Job, delivery: Delivery) -> Delivery:
        return self._noted(job, lambda: self._settler.settle(delivery))

    def _noted(self, job: Job, settle: Callable[[], Unsettled]) -> Delivery:
        try:
            settled = settle()
        except NotSettledError as error:
            self._keep_order(job, error.unsettled)
            raise
        job.rejected = settled.rejected
        self._keep_order(job, settled)
        return settled.delivery

    def _keep_order(self, job: Job, settled: Unsettled) -> None:
        if job.key is not None and _ordered(job.plan):
            self._order.settled(job.plan.config.type, job.key, settled.delivery, settled.verdict.step)


def _ended_by(stage: str, job: Job, why: Reject | Retry, envelope: Envelope | None = None) -> Job:
    """Have a message end before it is parsed; the envelope says otherwise where it came from."""
    job.failed = job.plan.pipeline.failed(envelope or job.received.envelope, None, stage, why)
    job.settled_as_is = True
    return job


def _ordered(plan: ConsumerPlan) -> bool:
    key = plan.pipeline.type.key
    return key is not None and key.ordered


def _needs_gate(plan: ConsumerPlan) -> bool:
    return _ordered(plan) or any(task.needs for task in plan.pipeline.tasks)
