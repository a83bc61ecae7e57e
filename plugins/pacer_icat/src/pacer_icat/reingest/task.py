"""The task that sends an investigation's datasets once more, and the consumer type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from pacer_core import ConsumerType, Context, Planned, task
from pacer_icat.catalogue import Investigation
from pacer_icat.client import Shared
from pacer_icat.collation import fold
from pacer_icat.integration import ICAT
from pacer_icat.keys import investigation_key
from pacer_icat.reingest.message import Reingest, describe
from pacer_icat.reingest.options import ReingestOptions
from pacer_icat.reingest.rebuild import Rebuilt, instrument_of, rebuild
from pacer_icat.signals import refusals_settled
from pacer_icat.visits import find_visits
from pacer_icat.wording import number_of

DATASETS_AT_ONCE = 200
FILES_AT_ONCE = 30_000
"""About what one message sends at most: all of it is held in memory until the broker has it."""


Emit = Callable[[str, Any], object]
"""Takes the name of a consumer type, and a message for it."""


def foresee_sending(message: Reingest, ctx: Context) -> list[Planned]:
    """Say what `send_datasets` would send: how many messages, and which datasets it would leave out."""
    sent: Counter[str] = Counter()
    left_out = _send_all(message, ctx, lambda consumer, _: sent.update([consumer]))
    said = [Planned(f"{number_of(n, 'message')} for {consumer}", "new") for consumer, n in sent.items()]
    return [*said, *(Planned(f"dataset {one.id}", "left-out", one.why) for one in left_out)]


@task(needs=[ICAT], plan=foresee_sending)
def send_datasets(message: Reingest, ctx: Context) -> None:
    """Rebuild the messages of an investigation's datasets, and send them to the consumers of ``datasets``.

    Writes nothing itself. What is too much for one go is left to a further message of this type, and so is
    each visit where there are several.
    """
    for one in _send_all(message, ctx, ctx.emit):
        ctx.log.warning("dataset %d %s: left out", one.id, one.why)


def _send_all(message: Reingest, ctx: Context, emit: Emit) -> list[Rebuilt]:
    """Send what a message asks for; give the datasets that are left out."""
    icat = ctx[ICAT].shared
    with refusals_settled():
        visits = find_visits(icat, message.investigation, message.visit_id)
        if len(visits) == 1:
            return _send(visits[0], message.after, icat, ctx, emit)
        for visit in visits:
            emit("reingest", {"investigation": visit.name, "visit_id": visit.visit_id})
        return []


def _send(visit: Investigation, after: int, icat: Shared, ctx: Context, emit: Emit) -> list[Rebuilt]:
    options: ReingestOptions = ctx.options
    datasets = rebuild(
        visit,
        after,
        frozenset(map(fold, options.left_out)),
        icat,
        instrument=instrument_of(visit, icat),
    )
    left_out: list[Rebuilt] = []
    sent = files = 0
    for one in datasets:
        if sent >= DATASETS_AT_ONCE or files >= FILES_AT_ONCE:
            emit("reingest", {"investigation": visit.name, "visit_id": visit.visit_id, "after": after})
            break
        after = one.id
        if one.missing:
            left_out.append(one)
            continue
        emit("datasets", one.message)
        sent += 1
        files += len(one.message["datafiles"])
    ctx.log.info("investigation %s/%s: datasets to be sent once more: %d", visit.name, visit.visit_id, sent)
    return left_out


REINGEST = ConsumerType(
    name="reingest",
    message=Reingest,
    tasks=[send_datasets],
    options=ReingestOptions,
    key=investigation_key(lambda message: message.investigation),
    describe=describe,
)
