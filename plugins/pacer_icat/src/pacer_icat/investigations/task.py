"""The task that keeps an investigation in ICAT, and the consumer type."""

from __future__ import annotations

from pacer_core import ConsumerType, Context, Planned, task
from pacer_icat.integration import ICAT
from pacer_icat.investigations.message import Investigation, describe
from pacer_icat.investigations.options import InvestigationsOptions
from pacer_icat.investigations.plan import plan
from pacer_icat.investigations.store import foresee, store
from pacer_icat.keys import investigation_key
from pacer_icat.signals import looking_again


def foresee_investigation(investigation: Investigation, ctx: Context) -> list[Planned]:
    """Say what `store_investigation` would do."""
    if not investigation.icat_sync:
        return []
    icat = ctx[ICAT].shared
    options: InvestigationsOptions = ctx.options
    return looking_again(icat.catalogue, lambda: list(foresee(plan(investigation, options, icat), icat)))


@task(needs=[ICAT], plan=foresee_investigation)
def store_investigation(investigation: Investigation, ctx: Context) -> None:
    """Write a visit with its instrument, members and parameters, where the message wants it in ICAT."""
    if not investigation.icat_sync:
        ctx.log.info("%s is not for ICAT: icat_sync is not set", investigation.name)
        return
    icat = ctx[ICAT].shared
    options: InvestigationsOptions = ctx.options
    try:
        id_ = looking_again(icat.catalogue, lambda: store(plan(investigation, options, icat), icat))
    finally:
        # Datasets choose among the visits by their dates and instruments, as they are remembered.
        icat.catalogue.forget_investigations(investigation.name)
    ctx.facts["investigation_id"] = id_


INVESTIGATIONS = ConsumerType(
    name="investigations",
    message=Investigation,
    tasks=[store_investigation],
    options=InvestigationsOptions,
    # In order: an older set of members must not overtake a newer one.
    key=investigation_key(lambda investigation: investigation.name, ordered=True),
    describe=describe,
)
