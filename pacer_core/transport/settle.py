"""Settlement: the only code that publishes follow-ups, retries and dead letters, and says what to ack."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs
from attrs import define

from pacer_core.config.model import Config, Consumer
from pacer_core.model.errors import BrokerError, NotTakenError, PacerError, RefusedError
from pacer_core.model.identifiers import identifiers
from pacer_core.model.messages import Delivery, FollowUp, Outcome, TaskFailure
from pacer_core.model.secrets import redact
from pacer_core.pipeline.spans import trace_headers
from pacer_core.transport.copies import copy_headers, copy_properties, dead_headers
from pacer_core.transport.headers import PREFIX
from pacer_core.transport.outgoing import ForbiddenError, Outgoing, UnroutableError
from pacer_core.transport.publish import Publisher
from pacer_core.transport.retry_policy import Verdict, decide
from pacer_core.transport.signing import Signer, signer_for
from pacer_core.transport.topology import dead_queue, retry_exchange

log = logging.getLogger("pacer.settle")

_ECS_OUTCOMES = {Outcome.ACKED: "success", Outcome.RETRIED: "unknown", Outcome.DEAD: "failure"}
HEAL = 5.0
"""Seconds between two attempts to declare again what somebody has removed."""


@define(eq=False)
class Unsettled:
    """A delivery whose tasks have run, and what the broker has not yet taken of what it leaves behind."""

    delivery: Delivery
    verdict: Verdict
    follow_ups: list[tuple[str, Outgoing]]
    """With the consumer type of each."""
    copy: Outgoing | None
    rejected: bool = False
    """Whether it ends by rejecting its message: the broker takes no copy, and dead-letters it by itself."""


class NotSettledError(PacerError):
    """The broker does not take what one message leaves behind, although it takes others.

    The message stays unacknowledged where it is, and `Settler.resume` tries again; its tasks have run.
    """

    def __init__(self, unsettled: Unsettled, why: object) -> None:
        super().__init__(why)
        self.unsettled = unsettled


class Settler:
    """Brings deliveries to their end at one broker: first the copies, confirmed, then the ack."""

    def __init__(
        self,
        config: Config,
        publisher: Publisher,
        declare: Callable[[], None],
        signer: Signer | None = None,
    ) -> None:
        self._publisher, self._declare = publisher, declare
        self._signer = signer_for(config) if signer is None else signer
        self._healing, self._healed = threading.Lock(), -HEAL
        # Declared with it, and refused where it is there without.
        ours = (queue for queue in config.queues if queue.declare == "active")
        self._dead_lettering = {queue.name for queue in (*ours, *config.partition_queues)}
        # Of those that are switched off there may be messages in partitions.
        plans = (*config.disabled, *config.consumers)
        self._consumers: Mapping[str, Consumer] = {plan.name: plan.config for plan in plans}
        self._levels = {plan.name: logging.INFO if plan.logs_messages else logging.DEBUG for plan in plans}
        self._targets = _targets(config)

    def dead_lettering(self, queues: Iterable[str]) -> None:
        """Take note of queues of somebody else's that put what is rejected into the dead queue of ours."""
        self._dead_lettering.update(queues)

    def settle(self, delivery: Delivery) -> Unsettled:
        """Publish what a delivery leaves behind; when this returns, its message may be answered for.

        Gives the delivery with its final outcome (a retry that is not allowed any more is dead), the verdict
        with the step of the ladder at which a retry's copy waits, and whether the answer is to reject it.

        Raises
        ------
        NotSettledError
            Where the broker does not take what this message leaves behind.
        BrokerError
            Where something was not confirmed: the message has to stay unacknowledged.
        """
        if delivery.outcome is Outcome.ACKED and not delivery.follow_ups:
            _tell_done(delivery, self._levels[delivery.consumer])
            return Unsettled(delivery, Verdict(Outcome.ACKED, delivery.envelope.retries), [], None)
        follow_ups = [
            one for follow_up in delivery.follow_ups for one in self._follow_up(delivery, follow_up)
        ]
        return self.resume(self._decided(delivery, follow_ups))

    def resume(self, unsettled: Unsettled) -> Unsettled:
        """Go on with what the broker did not take before; what it has confirmed is not sent again."""
        unsettled = self._send_follow_ups(unsettled)
        if unsettled.copy is not None:
            try:
                (error,) = self._publish([unsettled.copy])
                if error is not None:
                    raise error
            except RefusedError as error:
                unsettled = self._reject(unsettled, error)
            except NotTakenError as error:
                raise NotSettledError(unsettled, error) from error
        if unsettled.verdict.outcome is Outcome.ACKED:
            _tell_done(unsettled.delivery, self._levels[unsettled.delivery.consumer])
        else:
            _tell(unsettled)
        return unsettled

    def _decided(self, delivery: Delivery, follow_ups: list[tuple[str, Outgoing]]) -> Unsettled:
        consumer = self._consumers[delivery.consumer]
        verdict = decide(delivery, consumer.retries, consumer.not_yet)
        copy: Outgoing | None = None
        if verdict.outcome is Outcome.RETRIED:
            copy = self._retry(delivery, verdict)
        elif verdict.outcome is Outcome.DEAD:
            copy = self._dead(delivery, verdict)
        if verdict.outcome is not delivery.outcome:
            delivery = attrs.evolve(delivery, outcome=verdict.outcome)
        return Unsettled(delivery, verdict, follow_ups, copy)

    def _send_follow_ups(self, unsettled: Unsettled) -> Unsettled:
        """Publish what is left of the follow-ups; where one is refused, that is its message's death."""
        if not unsettled.follow_ups:
            return unsettled
        said = self._publish([one for _, one in unsettled.follow_ups])
        refused: list[str] = []
        waiting: list[tuple[str, Outgoing]] = []
        why: BrokerError | None = None
        for (type_, sent), error in zip(unsettled.follow_ups, said, strict=True):
            if isinstance(error, RefusedError):
                refused.append(f"follow-up to {type_}: {error}")
            elif error is not None:
                waiting.append((type_, sent))
                why = error
        unsettled.follow_ups = waiting
        if refused:
            unsettled = self._decided(_failed(unsettled.delivery, "; ".join(refused[:3])), waiting)
        if why is not None:
            raise NotSettledError(unsettled, why) from why
        return unsettled

    def _reject(self, unsettled: Unsettled, error: RefusedError) -> Unsettled:
        """End a message of which the broker takes no copy: it has the message, and can move it by itself."""
        verdict, queue = unsettled.verdict, unsettled.delivery.envelope.home
        if queue not in self._dead_lettering:
            raise NotSettledError(
                unsettled,
                f"{error}; queue {queue!r} is not PACER's, and is not known to dead-letter to "
                f"{dead_queue(queue)}: the message stays there; raise the broker's limit, or take it out",
            ) from error
        delivery = _failed(unsettled.delivery, f"no copy of it can be made: {error}")
        verdict = attrs.evolve(verdict, outcome=Outcome.DEAD, step=None, reason=delivery.error or "")
        return Unsettled(delivery, verdict, [], None, rejected=True)

    def _publish(self, messages: Sequence[Outgoing]) -> list[BrokerError | None]:
        """Publish, once more where something of ours was removed; raise where the broker is lost."""
        said = self._publisher.publish_each(messages)
        if any(_missing(error) for error in said) and self._heal():
            lacking = [number for number, error in enumerate(said) if _missing(error)]
            again = self._publisher.publish_each([messages[number] for number in lacking])
            for number, error in zip(lacking, again, strict=True):
                said[number] = error
        for error in said:
            if error is not None and not isinstance(error, NotTakenError):
                raise error
        return said

    def _heal(self) -> bool:
        """Declare again what somebody may have removed; say whether that was done."""
        with self._healing:
            if time.monotonic() - self._healed < HEAL:
                return True  # by another thread, just now
            try:
                self._declare()
            except Exception as error:
                log.warning("what is missing at the broker cannot be declared: %s", redact(str(error)))
                return False
            self._healed = time.monotonic()
            return True

    def _retry(self, delivery: Delivery, verdict: Verdict) -> Outgoing:
        envelope = delivery.envelope
        copy = Outgoing(
            exchange=retry_exchange(verdict.step or 1),
            routing_key=envelope.home,
            body=envelope.body,
            headers=copy_headers(delivery, verdict.retries, verdict.waited),
            properties=copy_properties(envelope),
        )
        return self._signer.signed(copy, envelope.home)

    def _dead(self, delivery: Delivery, verdict: Verdict) -> Outgoing:
        envelope = delivery.envelope
        copy = Outgoing(
            exchange="",
            routing_key=dead_queue(envelope.queue),
            body=envelope.body,
            headers=dead_headers(delivery, verdict.retries, verdict.reason),
            properties=copy_properties(envelope),
        )
        return self._signer.signed(copy, envelope.queue)

    def _follow_up(self, delivery: Delivery, follow_up: FollowUp) -> Sequence[tuple[str, Outgoing]]:
        envelope = delivery.envelope
        headers: dict[str, Any] = {
            **trace_headers(envelope),
            f"{PREFIX}correlation-id": envelope.correlation_id,
            f"{PREFIX}path": list(envelope.path),
        }
        return [
            (
                follow_up.consumer_type,
                Outgoing(
                    exchange="",
                    routing_key=queue,
                    body=follow_up.body,
                    headers=headers,
                    properties={"content_type": follow_up.content_type, "delivery_mode": 2},
                ),
            )
            for queue in self._targets.get(follow_up.consumer_type, ())
        ]


def _failed(delivery: Delivery, reason: str) -> Delivery:
    failures = (*delivery.failures, TaskFailure("settle", "reject", reason))
    return attrs.evolve(delivery, outcome=Outcome.DEAD, failures=failures)


def _missing(error: BrokerError | None) -> bool:
    return isinstance(error, UnroutableError) and not isinstance(error, ForbiddenError)


def _targets(config: Config) -> dict[str, tuple[str, ...]]:
    """Give the queues to which follow-ups of a consumer type go: the first of each consumer of that type."""
    targets: dict[str, tuple[str, ...]] = {}
    for plan in config.consumers:
        targets[plan.config.type] = (*targets.get(plan.config.type, ()), plan.config.queues[0])
    return targets


def _tell(settled: Unsettled) -> None:
    """Write the line of a message that did not simply succeed."""
    delivery, verdict = settled.delivery, settled.verdict
    described = identifiers(delivery.description)
    about = _about(delivery, verdict.outcome)
    if verdict.outcome is Outcome.DEAD:
        fields = "; ".join(str(field) for field in delivery.bad_fields[:20])
        log.warning(
            "%s: dead in %s%s: %s%s%s",
            delivery.consumer,
            dead_queue(delivery.envelope.queue),
            ", put there by the broker without PACER's headers" if settled.rejected else "",
            verdict.reason,
            f" ({fields})" if fields else "",
            f"; {described}" if described else "",
            extra=about,
        )
    else:
        log.info(
            "%s: again in %s s: %s%s",
            delivery.consumer,
            verdict.step,
            delivery.error,
            f"; {described}" if described else "",
            extra=about,
        )


def _tell_done(delivery: Delivery, level: int) -> None:
    if log.isEnabledFor(level):
        described = identifiers(delivery.description)
        log.log(
            level,
            "%s: done in %.1f ms%s",
            delivery.consumer,
            1000 * _seconds(delivery),
            f"; {described}" if described else "",
            extra=_about(delivery, Outcome.ACKED),
        )


def _about(delivery: Delivery, outcome: Outcome) -> dict[str, Any]:
    """Give what a record has beside its text, for a log that a program reads: ECS, labels and event."""
    return {
        "correlation_id": delivery.envelope.correlation_id,
        "labels": {**delivery.description, "consumer": delivery.consumer, "outcome": outcome.value},
        "event": {"outcome": _ECS_OUTCOMES[outcome], "duration": round(1e9 * _seconds(delivery))},
    }


def _seconds(delivery: Delivery) -> float:
    if delivery.started is None or delivery.finished is None:
        return 0.0
    return (delivery.finished - delivery.started).total_seconds()
