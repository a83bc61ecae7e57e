"""How long a message may go on failing, and how long it waits each time."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from pacer_core.config.model import NotYetPolicy, Retries
from pacer_core.model.messages import Delivery, Outcome
from pacer_core.model.wording import counted

LADDER = (1, 5, 15, 60, 300, 900, 3600, 21600)
"""The steps of the ladder of retry queues, in seconds; a wished delay is rounded up to one of them."""
_LONGEST_AWAY = 60  # for a system that is away: what waits should not make its absence longer
_LONGEST_WAIT = 900  # for what is still to come: nobody wants to wait an hour after it has come
_RESTARTS = 20  # after the first, which an upgrade brings with it


@frozen
class Verdict:
    """What settlement does with a delivery: its outcome, the step it waits at, and why it is dead."""

    outcome: Outcome
    retries: int
    step: int | None = None
    reason: str = ""
    waited: int = 0
    """How many seconds it has then waited for what is still to come, over all its attempts."""


def decide(delivery: Delivery, retries: Retries, not_yet: NotYetPolicy) -> Verdict:
    """Say whether a delivery that wants to be retried may, and when.

    Failures count against ``retries.limit``. Waiting for what another message brings does not: it ends when
    the message has waited for that on the ladder for ``not_yet.for_``. No clock has a say: one that is set
    would end it at once, and while PACER or the other message stands still nothing can come. What was put off
    (a system is away, an earlier message of its key waits) waits for ever.

    Where hosts sign with different keys, each begins anew what the other has tried. That lengthens the delays
    as a failure does, and is counted, so that it ends.
    """
    envelope, waited = delivery.envelope, delivery.envelope.waited
    if delivery.outcome is not Outcome.RETRIED:
        reason = delivery.error or _earlier(delivery)
        return Verdict(delivery.outcome, envelope.retries, reason=reason, waited=waited)
    error = delivery.error or "failed"
    kinds = {failure.kind for failure in delivery.failures}
    failed = not kinds.isdisjoint(("retry", "error"))
    count = envelope.retries + (1 if failed else 0)
    again = max(envelope.restarts - 1, 0)
    if again > _RESTARTS and (failed or "not-yet" in kinds):
        reason = f"{error} ({_begun_anew(envelope.restarts)})"
        return Verdict(Outcome.DEAD, count, reason=reason, waited=waited)
    if failed:
        if count > retries.limit:
            reason = f"{error} ({_gave_up(retries.limit)})"
            return Verdict(Outcome.DEAD, count, reason=reason, waited=waited)
        wished = _grown(retries, count + again) if delivery.delay is None else delivery.delay
        return Verdict(Outcome.RETRIED, count, step=round_up(wished), waited=waited)
    patience = LADDER[min(envelope.attempt + again, len(LADDER) - 1)]
    if "not-yet" in kinds:
        left = not_yet.for_.total_seconds() - waited
        if left <= 0:
            reason = f"{error} (waited {_spell(not_yet.for_)} for it)"
            return Verdict(Outcome.DEAD, count, reason=reason, waited=waited)
        step = round_up(min(patience, _LONGEST_WAIT, left))
        return Verdict(Outcome.RETRIED, count, step=step, waited=waited + step)
    step = round_up(delivery.delay or min(patience, _LONGEST_AWAY))
    return Verdict(Outcome.RETRIED, count, step=step, waited=waited)


def _gave_up(limit: int) -> str:
    return (
        f"gave up after {counted(limit, 'retry', 'retries')}" if limit else "not retried: retries.limit is 0"
    )


def _begun_anew(times: int) -> str:
    return (
        f"begun anew {times} times, since the signatures of its copies did not fit: give all hosts that "
        f"share the queue the same processes.signingKeys"
    )


def round_up(seconds: float) -> int:
    """Give the first step of the ladder that is no shorter; the last one where all are."""
    return next((step for step in LADDER if step >= seconds), LADDER[-1])


def _grown(retries: Retries, count: int) -> float:
    """Give the delay before a retry; multiplied step by step, since a power of a float may overflow."""
    wished, longest = retries.delay.total_seconds(), retries.max_delay.total_seconds()
    for _ in range(min(count - 1, 64)):
        wished *= retries.factor
    return min(wished, longest)


def _earlier(delivery: Delivery) -> str:
    return "; ".join(f"{task}: {reason}" for task, reason in delivery.rejected.items())


def _spell(span: timedelta) -> str:
    seconds = span.total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
