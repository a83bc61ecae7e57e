"""Settlement: the only code that publishes follow-ups, retries and dead letters, and says what to ack."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from pacer_core.config.model import Config, Consumer
from pacer_core.logs import identifiers
from pacer_core.messages import Delivery, FollowUp, Outcome
from pacer_core.policy import Verdict, decide
from pacer_core.traces import trace_headers
from pacer_core.transport.headers import PREFIX, copy_headers, copy_properties, dead_headers
from pacer_core.transport.publish import Outgoing, Publisher
from pacer_core.transport.topology import dead_queue, retry_exchange

log = logging.getLogger("pacer.settle")

_ECS_OUTCOMES = {Outcome.ACKED: "success", Outcome.RETRIED: "unknown", Outcome.DEAD: "failure"}


class Settler:
    """Brings deliveries to their end at one broker: first the copies, confirmed, then the ack."""

    def __init__(self, config: Config, publisher: Publisher) -> None:
        self._publisher = publisher
        self._consumers: Mapping[str, Consumer] = {plan.name: plan.config for plan in config.consumers}
        self._levels = {
            plan.name: logging.INFO if plan.logs_messages else logging.DEBUG for plan in config.consumers
        }
        self._targets = _targets(config)

    def settle(self, delivery: Delivery) -> tuple[Delivery, int | None]:
        """Publish what a delivery leaves behind; when this returns, its message may be acknowledged.

        Gives the delivery with its final outcome (a retry that is not allowed any more is dead), and for a
        retry the step of the ladder at which its copy waits.

        Raises
        ------
        BrokerError
            Where something was not confirmed: the message has to stay unacknowledged.
        """
        if delivery.outcome is Outcome.ACKED and not delivery.follow_ups:
            _tell_done(delivery, self._levels[delivery.consumer])
            return delivery, None
        consumer = self._consumers[delivery.consumer]
        verdict = decide(delivery, consumer.retries, consumer.not_yet)
        messages = [one for follow_up in delivery.follow_ups for one in self._follow_up(delivery, follow_up)]
        if verdict.outcome is Outcome.RETRIED:
            messages.append(self._retry(delivery, verdict))
        elif verdict.outcome is Outcome.DEAD:
            messages.append(self._dead(delivery, verdict))
        if messages:
            self._publisher.publish(messages)
        if verdict.outcome is Outcome.ACKED:
            _tell_done(delivery, self._levels[delivery.consumer])
        else:
            _tell(delivery, verdict)
        if verdict.outcome is not delivery.outcome:
            delivery = attrs.evolve(delivery, outcome=verdict.outcome)
        return delivery, verdict.step

    def _retry(self, delivery: Delivery, verdict: Verdict) -> Outgoing:
        envelope = delivery.envelope
        return Outgoing(
            exchange=retry_exchange(verdict.step or 1),
            routing_key=envelope.queue,
            body=envelope.body,
            headers=copy_headers(delivery, verdict.retries, verdict.waited),
            properties=copy_properties(envelope),
        )

    def _dead(self, delivery: Delivery, verdict: Verdict) -> Outgoing:
        envelope = delivery.envelope
        return Outgoing(
            exchange="",
            routing_key=dead_queue(envelope.queue),
            body=envelope.body,
            headers=dead_headers(delivery, verdict.retries, verdict.reason),
            properties=copy_properties(envelope),
        )

    def _follow_up(self, delivery: Delivery, follow_up: FollowUp) -> Sequence[Outgoing]:
        envelope = delivery.envelope
        headers: dict[str, Any] = {
            **trace_headers(envelope),
            f"{PREFIX}correlation-id": envelope.correlation_id,
            f"{PREFIX}path": list(envelope.path),
        }
        return [
            Outgoing(
                exchange="",
                routing_key=queue,
                body=follow_up.body,
                headers=headers,
                properties={"content_type": follow_up.content_type, "delivery_mode": 2},
            )
            for queue in self._targets.get(follow_up.consumer_type, ())
        ]


def _targets(config: Config) -> dict[str, tuple[str, ...]]:
    """Give the queues to which follow-ups of a consumer type go: the first of each consumer of that type."""
    targets: dict[str, tuple[str, ...]] = {}
    for plan in config.consumers:
        targets[plan.config.type] = (*targets.get(plan.config.type, ()), plan.config.queues[0])
    return targets


def _tell(delivery: Delivery, verdict: Verdict) -> None:
    """Write the line of a message that did not simply succeed."""
    described = identifiers(delivery.description)
    about = _about(delivery, verdict.outcome)
    if verdict.outcome is Outcome.DEAD:
        fields = "; ".join(str(field) for field in delivery.bad_fields[:20])
        log.warning(
            "%s: dead in %s: %s%s%s",
            delivery.consumer,
            dead_queue(delivery.envelope.queue),
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
