"""The operation ``create-panosc-item``: an item first, then the weights; either may be repeated."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from attrs import frozen

from pacer_core import Context, NotYet, Planned, Retry, task
from pacer_icat import ICAT, IcatClient, InvestigationOperations, check_found
from pacer_panosc.client import Item, Run
from pacer_panosc.integration import PANOSC

OPERATION = "create-panosc-item"
MINT = "mint-proposal"
"""The operation that leaves a DOI in the facts."""
NEVER = "never"
"""Stands in the facts for the last run where there was none."""


def foresee_item(message: InvestigationOperations, ctx: Context) -> list[Planned]:
    """Say what `create_panosc_item` would do."""
    if OPERATION not in message.operations:
        return []
    item = _item(message, ctx)
    held = ctx[PANOSC].held(item.id)
    return [
        Planned(
            f"item {item.id}",
            "new" if held is None else "there" if held == item else "changed",
            f"fields {', '.join(item.fields)}",
        )
    ]


@task(needs=[ICAT, PANOSC], after=["check_investigation"], plan=foresee_item)
def create_panosc_item(message: InvestigationOperations, ctx: Context) -> None:
    """Bring the item of an investigation to what its public document says."""
    if OPERATION not in message.operations:
        return
    item = _item(message, ctx)
    if ctx[PANOSC].put(item):
        ctx.log.info("the scoring service has item %s as it is now", item.id)


def _item(message: InvestigationOperations, ctx: Context) -> Item:
    """Give the item of the investigation's public document."""
    panosc = ctx[PANOSC]
    minted = ctx.facts.get("doi") if MINT in message.operations else None
    visit = read(ctx[ICAT], ctx.facts["investigation_id"], minted)
    check_found(message, visit.id, visit.name, visit.visit)
    try:
        document = panosc.document(pid_of(panosc.options.pid, visit))
    except NotYet as missing:
        raise NotYet(f"{missing}{visit.embargo}") from missing
    return Item(str(document["pid"]), panosc.options.group, fields_of(document))


def foresee_scores(message: InvestigationOperations, ctx: Context) -> list[Planned]:
    """Say what `recompute_scores` would do, which it does whether an item has changed or not."""
    if OPERATION not in message.operations:
        return []
    run, wait = ctx[PANOSC].last_run(), ctx[PANOSC].options.recompute_after
    busy = "; a run is in progress" if run.in_progress else ""
    after = f", {wait.total_seconds() / 60:g} min later" if wait else ""
    return [Planned("weights of all items", "changed", f"computed anew{after}{busy}")]


@task(needs=[PANOSC], after=[create_panosc_item], plan=foresee_scores)
def recompute_scores(message: InvestigationOperations, ctx: Context) -> None:
    """See to it that the weights are computed after the item was written; never waits for it.

    What was the last run when the item had been written is noted; the task comes back some minutes later. A
    run that was requested meanwhile, for whichever item, covers this one as well. No clocks are compared.
    """
    if OPERATION not in message.operations:
        return
    panosc = ctx[PANOSC]
    wait = panosc.options.recompute_after.total_seconds()
    run = panosc.last_run()
    before = ctx.facts.setdefault("panosc_run", run.requested or NEVER)
    if (run.requested or NEVER) != before:
        return
    if wait and "panosc_waited" not in ctx.facts:
        ctx.facts["panosc_waited"] = True
        raise Retry("the weights are computed a little later, for many items at once", after=wait)
    if not panosc.compute():
        raise Retry(_busy(run, ctx), after=max(wait, 60.0))


def _busy(run: Run, ctx: Context) -> str:
    """Say that a run is in progress, and since when it has got no further."""
    now = datetime.now(UTC)
    percent, since = ctx.facts.get("panosc_progress", (None, None))
    if percent != run.percent or since is None:
        ctx.facts["panosc_progress"] = [run.percent, now.isoformat(timespec="seconds")]
        return "the scoring service computes weights; once more when it has finished"
    return (
        f"the scoring service says that it computes weights, and has got no further since {since}: "
        f"look whether it is stuck; while it is, new items are not found"
    )


@frozen
class Visit:
    """One visit of a proposal, as far as its document goes by it."""

    id: int
    name: str
    visit: str
    doi: str | None
    release: datetime | None

    @property
    def embargo(self) -> str:
        """What is known of the reason for which a document is not public."""
        if self.release is None:
            return "; ICAT's investigation has no release date"
        return f"; its release date is {self.release.date()}" if self.release > datetime.now(UTC) else ""


def read(icat: IcatClient, id_: int, minted: str | None) -> Visit:
    """Give what ICAT knows of an investigation; ``minted`` is its DOI where ICAT is still to be told.

    Raises
    ------
    NotYet
        Where it is gone.
    """
    rows = icat.shared.wire.search(
        "SELECT o.name, o.visitId, o.doi, o.releaseDate FROM Investigation o WHERE o.id = :id", id=id_
    )
    if not rows:
        raise NotYet(f"ICAT has no investigation of id {id_} any more")
    ((name, visit, doi, release),) = rows
    return Visit(id_, name, visit, doi or minted, release)


def pid_of(template: str, visit: Visit) -> str:
    """Give the name that the search API has for the document of an investigation.

    Raises
    ------
    NotYet
        Where it goes by a DOI that is still to be minted.
    """
    if "{doi}" in template and visit.doi is None:
        raise NotYet(f"investigation {visit.name!r} with visit {visit.visit!r} has no DOI in ICAT yet")
    return template.format(doi=visit.doi, name=visit.name, visit=visit.visit, id=visit.id)


def fields_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Give what is to be found of a document: the whole of it would make terms of dates and links."""
    people = [member.get("person") or {} for member in document.get("members") or ()]
    fields = {
        "title": document.get("title"),
        "summary": document.get("summary"),
        "keywords": sorted(str(one) for one in document.get("keywords") or ()),
        "parameters": sorted(
            " ".join(str(one[key]) for key in ("name", "value", "unit") if one.get(key) not in (None, ""))
            for one in document.get("parameters") or ()
        ),
        "members": sorted(name for person in people if (name := _name(person))),
    }
    return {name: value for name, value in fields.items() if value}


def _name(person: Mapping[str, Any]) -> str | None:
    whole = person.get("fullName")
    parts = [str(person[key]) for key in ("firstName", "lastName") if person.get(key)]
    return str(whole) if whole else " ".join(parts) or None
