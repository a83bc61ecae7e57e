"""The operation ``mint-proposal``: DataCite first, then ICAT; either may be repeated at any time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pacer_core import Context, Planned, Reject, task
from pacer_datacite.doi import Identity, doi_of
from pacer_datacite.integration import DATACITE
from pacer_datacite.metadata import document_of
from pacer_datacite.minting import foresee, mint
from pacer_datacite.options import DataciteOptions
from pacer_datacite.proposal import read
from pacer_icat import ICAT, IcatFault, InvestigationOperations, check_found, settled

OPERATION = "mint-proposal"


def foresee_minting(message: InvestigationOperations, ctx: Context) -> list[Planned]:
    """Say what `mint_proposal` would do; DataCite is asked, and told nothing."""
    if OPERATION not in message.operations:
        return []
    doi, document = _prepared(message, ctx)
    found, state = foresee(ctx[DATACITE], document)
    ctx.facts |= {"doi": doi, "doi_url": document["url"]}
    if found is None:
        return [Planned(f"DOI {doi} at DataCite", "new", state)]
    moved = "" if state == found.state else f", from {found.state}"
    return [Planned(f"DOI {doi} at DataCite", "changed", f"its metadata are sent again; {state}{moved}")]


@task(needs=[ICAT, DATACITE], after=["check_investigation"], plan=foresee_minting)
def mint_proposal(message: InvestigationOperations, ctx: Context) -> None:
    """Mint the DOI of an investigation, or bring its metadata up to date; the same DOI each time.

    Leaves ``doi`` and ``doi_url`` in the facts, for tasks that store the DOI elsewhere.
    """
    if OPERATION not in message.operations:
        return
    doi, document = _prepared(message, ctx)
    stored = mint(ctx[DATACITE], document)
    ctx.log.info("DataCite holds %s as %s", doi, stored.state)
    ctx.facts |= {"doi": doi, "doi_url": document["url"]}


def _prepared(message: InvestigationOperations, ctx: Context) -> tuple[str, dict[str, Any]]:
    """Give the DOI of the message's investigation, and the document that DataCite is to hold."""
    options = ctx[DATACITE].options
    try:
        proposal = read(ctx[ICAT], ctx.facts["investigation_id"])
    except IcatFault as fault:
        raise settled(fault) from fault
    doi = _doi_of(message, options, proposal.identity)
    _same(proposal.doi, doi)
    return doi, document_of(proposal, doi, options)


def foresee_storing(message: InvestigationOperations, ctx: Context) -> list[Planned]:
    """Say what `store_doi` would do."""
    if OPERATION not in message.operations:
        return []
    with _settled():
        _, is_there = _investigation(message, ctx)
    what = f"investigation {ctx.facts['investigation_id']} of ICAT"
    return [Planned(what, "there" if is_there else "changed", f"DOI {ctx.facts['doi']}")]


@task(needs=[ICAT, DATACITE], after=[mint_proposal], plan=foresee_storing)
def store_doi(message: InvestigationOperations, ctx: Context) -> None:
    """Write the DOI that was minted into ICAT's investigation."""
    if OPERATION not in message.operations:
        return
    with _settled():
        record, is_there = _investigation(message, ctx)
        if not is_there:
            ctx[ICAT].shared.wire.update(record, doi=ctx.facts["doi"])


def _investigation(message: InvestigationOperations, ctx: Context) -> tuple[Any, bool]:
    """Give ICAT's record of the investigation that a DOI was minted for, and whether it has that already."""
    doi, id_ = ctx.facts["doi"], ctx.facts["investigation_id"]
    record = ctx[ICAT].shared.wire.read("Investigation", id_)
    if record is None:
        raise Reject(f"the investigation of {doi} has been deleted from ICAT since it was minted")
    identity = Identity(id_, record["facility"]["name"], record["name"], record["visitId"])
    if doi != _doi_of(message, ctx[DATACITE].options, identity):
        raise Reject(f"{doi} is not the DOI of the investigation that the message names: replay it")
    return record, _same(record["doi"], doi)


@contextmanager
def _settled() -> Iterator[None]:
    try:
        yield
    except IcatFault as fault:
        raise settled(fault) from fault


def _doi_of(message: InvestigationOperations, options: DataciteOptions, identity: Identity) -> str:
    """Give the DOI of the investigation that earlier tasks have found, and that has to be the message's."""
    check_found(message, identity.id, identity.name, identity.visit_id)
    try:
        return doi_of(options.prefix, options.suffix, identity)
    except ValueError as error:
        raise Reject(f"{error}; choose a shorter suffix") from None


def _same(held: str | None, doi: str) -> bool:
    """Tell whether ICAT has a DOI already; DOIs ignore case.

    Raises
    ------
    Reject
        Where it has another one.
    """
    if not held:
        return False
    if held.strip().lower() == doi:
        return True
    raise Reject(
        f"ICAT's investigation has the DOI {held}, and {doi} would be minted: it keeps the one it has; "
        f"where that is wrong, clear it in ICAT"
    )
