"""The operation ``mint-proposal``: DataCite first, then ICAT; either may be repeated at any time."""

from __future__ import annotations

from pacer_core import Context, Reject, task
from pacer_datacite.doi import Identity, doi_of
from pacer_datacite.integration import DATACITE
from pacer_datacite.metadata import document_of
from pacer_datacite.minting import mint
from pacer_datacite.options import DataciteOptions
from pacer_datacite.proposal import read
from pacer_icat import ICAT, IcatFault, InvestigationOperations, check_found, settled

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
    doi = _doi_of(message, options, proposal.identity)
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
    doi, id_ = ctx.facts["doi"], ctx.facts["investigation_id"]
    try:
        record = icat.read("Investigation", id_)
        if record is None:
            raise Reject(f"the investigation of {doi} has been deleted from ICAT since it was minted")
        identity = Identity(id_, record["facility"]["name"], record["name"], record["visitId"])
        if doi != _doi_of(message, ctx[DATACITE].options, identity):
            raise Reject(f"{doi} is not the DOI of the investigation that the message names: replay it")
        if not _same(record["doi"], doi):
            icat.update(record, doi=doi)
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
