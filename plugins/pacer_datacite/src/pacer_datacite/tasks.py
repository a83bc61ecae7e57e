"""The operation ``mint-proposal``: DataCite first, then ICAT; either may be repeated at any time."""

from __future__ import annotations

from pacer_core import Context, Reject, task
from pacer_datacite.doi import doi_of
from pacer_datacite.integration import DATACITE
from pacer_datacite.metadata import document_of
from pacer_datacite.minting import mint
from pacer_datacite.proposal import read
from pacer_icat import ICAT, IcatFault, InvestigationOperations, settled

OPERATION = "mint-proposal"


@task(needs=[ICAT, DATACITE], after=["check_investigation"])
def mint_proposal(message: InvestigationOperations, ctx: Context) -> None:
    """Mint the DOI of an investigation, or bring its metadata up to date; the same DOI each time.

    Leaves ``doi`` and ``doi_url`` in the facts, for tasks that store the DOI elsewhere.
    """
    if OPERATION not in message.operations:
        return
    icat, datacite = ctx[ICAT], ctx[DATACITE]
    options = datacite.options
    try:
        proposal = read(icat, ctx.facts["investigation_id"])
    except IcatFault as fault:
        raise settled(fault) from fault
    try:
        doi = doi_of(options.prefix, options.suffix, proposal.identity)
    except ValueError as error:
        raise Reject(f"{error}; choose a shorter suffix") from None
    _same(proposal.doi, doi)
    document = document_of(proposal, doi, options)
    stored = mint(datacite, document)
    ctx.log.info("DataCite holds %s as %s", doi, stored.state)
    ctx.facts |= {"doi": doi, "doi_url": document["url"]}


@task(needs=[ICAT, DATACITE], after=[mint_proposal])
def store_doi(message: InvestigationOperations, ctx: Context) -> None:
    """Write the DOI that was minted into ICAT's investigation."""
    if OPERATION not in message.operations:
        return
    icat = ctx[ICAT].shared.wire
    doi = ctx.facts["doi"]
    try:
        record = icat.read("Investigation", ctx.facts["investigation_id"])
        if record is None:
            raise Reject(f"the investigation of {doi} has been deleted from ICAT since it was minted")
        if not _same(record["doi"], doi):
            icat.update(record, doi=doi)
    except IcatFault as fault:
        raise settled(fault) from fault


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
