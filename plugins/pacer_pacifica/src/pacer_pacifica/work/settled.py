"""Jobs whose message is dead: they have failed, whoever gave up."""

from __future__ import annotations

from pacer_core import Delivery, Outcome, SettledContext
from pacer_pacifica.integration import PACIFICA
from pacer_pacifica.jobs import NoSuchJob, Over
from pacer_pacifica.messages import Bundle, Move


def note_dead(delivery: Delivery, ctx: SettledContext) -> bool | None:
    """Have a job fail whose message was given up; one that has failed by itself stays as it is.

    Where this is lost, the service's sweeper finds the job.
    """
    if PACIFICA not in ctx:
        return False
    message = delivery.message
    if delivery.outcome is not Outcome.DEAD or not isinstance(message, Bundle | Move):
        return None
    jobs = ctx[PACIFICA].jobs
    try:
        if not jobs.get(message.job_id).complete:
            reason = f"given up: {delivery.error or 'without a reason'}"
            jobs.fail(message.job_id, message.attempt, None, reason)
    except (NoSuchJob, Over):
        return None
    return None
