"""The task that writes a minted DOI into VISA; it joins ``investigation-operations``."""

from __future__ import annotations

from pacer_core import Context, NotYet, Reject, task
from pacer_icat import ICAT, InvestigationOperations, check_found
from pacer_visa.columns import whole
from pacer_visa.integration import VISA
from pacer_visa.keys import experiment_id

STORED = "store_doi"
"""The task of pacer-datacite after which ``doi``, ``doi_url`` and ``investigation_id`` are in the facts."""


@task(needs=[ICAT, VISA], after=[STORED])
def store_visa_doi(message: InvestigationOperations, ctx: Context) -> None:
    """Write the DOI that was minted, and its address, into VISA's experiment; there has to be one."""
    if "doi" not in ctx.facts:
        return  # another operation
    id_ = ctx.facts["investigation_id"]
    investigation = ctx[ICAT].one("Investigation", id=id_)
    check_found(message, id_, investigation.name, investigation.visitId)
    if str(investigation.doi or "").strip().lower() != ctx.facts["doi"]:
        raise Reject(f"ICAT's investigation has not the DOI {ctx.facts['doi']} that was stored: replay it")
    experiment = experiment_id(message.name, message.visit_id or investigation.visitId)
    doi = whole("experiment.doi", "doi", ctx.facts["doi"])
    url = whole("experiment.url", "url", ctx.facts["doi_url"])
    with ctx[VISA].transaction() as connection:
        written = connection.execute(
            "UPDATE experiment SET doi = %s, url = %s WHERE id = %s", [doi, url, experiment]
        )
        if written.rowcount == 0:
            raise NotYet(
                f"VISA has no experiment {experiment}: its investigation has not come, or not for VISA"
            )
