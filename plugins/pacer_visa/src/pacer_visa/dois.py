"""The task that writes a minted DOI into VISA; it joins ``investigation-operations``."""

from __future__ import annotations

from pacer_core import Context, NotYet, Planned, Reject, task
from pacer_icat import ICAT, InvestigationOperations, check_found
from pacer_visa.columns import whole
from pacer_visa.integration import VISA
from pacer_visa.keys import experiment_id

STORED = "store_doi"
"""The task of pacer-datacite after which ``doi``, ``doi_url`` and ``investigation_id`` are in the facts."""


def foresee_visa_doi(message: InvestigationOperations, ctx: Context) -> list[Planned]:
    """Say what `store_visa_doi` would do; ICAT may still be without the DOI, which `store_doi` brings."""
    if "doi" not in ctx.facts:
        return []
    experiment, doi, url = _named(message, ctx, foreseen=True)
    with ctx[VISA].reading() as connection:
        found = connection.execute("SELECT doi, url FROM experiment WHERE id = %s", [experiment]).fetchone()
    if found is None:
        raise _no_experiment(experiment)
    return [Planned(f"experiment {experiment}", "there" if found == (doi, url) else "changed", f"DOI {doi}")]


@task(needs=[ICAT, VISA], after=[STORED], plan=foresee_visa_doi)
def store_visa_doi(message: InvestigationOperations, ctx: Context) -> None:
    """Write the DOI that was minted, and its address, into VISA's experiment; there has to be one."""
    if "doi" not in ctx.facts:
        return  # another operation
    experiment, doi, url = _named(message, ctx)
    with ctx[VISA].transaction() as connection:
        written = connection.execute(
            "UPDATE experiment SET doi = %s, url = %s WHERE id = %s", [doi, url, experiment]
        )
        if written.rowcount == 0:
            raise _no_experiment(experiment)


def _named(message: InvestigationOperations, ctx: Context, *, foreseen: bool = False) -> tuple[str, str, str]:
    """Give the experiment of a message, the DOI and its address, after looking whether ICAT has that one."""
    id_ = ctx.facts["investigation_id"]
    investigation = ctx[ICAT].one("Investigation", id=id_)
    check_found(message, id_, investigation.name, investigation.visitId)
    held = str(investigation.doi or "").strip().lower()
    if held != ctx.facts["doi"] and not (foreseen and not held):
        raise Reject(f"ICAT's investigation has not the DOI {ctx.facts['doi']} that was stored: replay it")
    return (
        experiment_id(message.name, message.visit_id or investigation.visitId),
        whole("experiment.doi", "doi", ctx.facts["doi"]),
        whole("experiment.url", "url", ctx.facts["doi_url"]),
    )


def _no_experiment(experiment: str) -> NotYet:
    return NotYet(f"VISA has no experiment {experiment}: its investigation has not come, or not for VISA")
