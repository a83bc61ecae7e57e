"""The task that sends an investigation's datasets once more, and the consumer type."""

from __future__ import annotations

from pacer_core import ConsumerType, Context, task
from pacer_icat.catalogue import Investigation
from pacer_icat.client import Shared
from pacer_icat.collation import fold
from pacer_icat.integration import ICAT
from pacer_icat.keys import investigation_key
from pacer_icat.reingest.message import Reingest, describe
from pacer_icat.reingest.options import ReingestOptions
from pacer_icat.reingest.rebuild import instrument_of, rebuild
from pacer_icat.signals import refusals_settled
from pacer_icat.visits import find_visits

DATASETS_AT_ONCE = 200
FILES_AT_ONCE = 30_000
"""About what one message sends at most: all of it is held in memory until the broker has it."""


@task(needs=[ICAT])
def send_datasets(message: Reingest, ctx: Context) -> None:
    """Rebuild the messages of an investigation's datasets, and send them to the consumers of ``datasets``.

    Writes nothing itself. What is too much for one go is left to a further message of this type, and so is
    each visit where there are several.
    """
    icat = ctx[ICAT].shared
    with refusals_settled():
        visits = find_visits(icat, message.investigation, message.visit_id)
        if len(visits) > 1:
            for visit in visits:
                ctx.emit("reingest", {"investigation": visit.name, "visit_id": visit.visit_id})
        else:
            _send(visits[0], message.after, icat, ctx)


def _send(visit: Investigation, after: int, icat: Shared, ctx: Context) -> None:
    options: ReingestOptions = ctx.options
    datasets = rebuild(
        visit,
        after,
        frozenset(map(fold, options.left_out)),
        icat,
        instrument=instrument_of(visit, icat),
    )
    sent = files = 0
    for one in datasets:
        if sent >= DATASETS_AT_ONCE or files >= FILES_AT_ONCE:
            ctx.emit("reingest", {"investigation": visit.name, "visit_id": visit.visit_id, "after": after})
            break
        after = one.id
        if one.missing:
            ctx.log.warning("dataset %d has no %s in ICAT: left out", one.id, " and no ".join(one.missing))
            continue
        ctx.emit("datasets", one.message)
        sent += 1
        files += len(one.message["datafiles"])
    ctx.log.info("investigation %s/%s: datasets sent once more: %d", visit.name, visit.visit_id, sent)


REINGEST = ConsumerType(
    name="reingest",
    message=Reingest,
    tasks=[send_datasets],
    options=ReingestOptions,
    key=investigation_key(lambda message: message.investigation),
    describe=describe,
)
