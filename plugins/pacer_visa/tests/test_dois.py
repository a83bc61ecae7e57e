"""A minted DOI is written into VISA's experiment, or the message waits."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from pacer_core import ConsumerType, Context, Delivery, Outcome, task
from pacer_core.testing import deliver
from pacer_icat import ICAT, InvestigationOperations
from pacer_visa import VISA, Visa
from pacer_visa.dois import store_visa_doi
from plugins.pacer_visa.tests.support import EXPERIMENT, INVESTIGATIONS, USERS, investigation, send, user

Read = Callable[..., list[Any]]
DOI, PAGE = "10.5072/20250330096-bl06-kgqayzwk", "https://data.example.org/doi/x"


@task
def store_doi(message: InvestigationOperations, ctx: Context) -> None:
    """Leave what pacer-datacite leaves."""
    if "mint-proposal" in message.operations:
        ctx.facts |= {"doi": DOI, "doi_url": PAGE, "investigation_id": 1}


OPERATIONS = ConsumerType(
    name="investigation-operations", message=InvestigationOperations, tasks=[store_doi, store_visa_doi]
)


class Icat:
    """ICAT as far as the task asks: one investigation."""

    def __init__(self, name: str = "20250330096", visit: str = "bl06", doi: str | None = DOI) -> None:
        self.name, self.visit, self.doi = name, visit, doi

    def one(self, entity: str, **conditions: Any) -> Any:
        assert (entity, conditions) == ("Investigation", {"id": 1})
        return SimpleNamespace(name=self.name, visitId=self.visit, doi=self.doi)


def run(visa: Visa, icat: Icat | None = None, **changes: Any) -> Delivery:
    message = {"name": "20250330096", "visit_id": "bl06", "operations": ["mint-proposal"], **changes}
    return deliver(
        OPERATIONS, json.dumps(message), integrations={VISA: visa, ICAT: icat or Icat()}, twice=True
    )


@pytest.mark.parametrize("visit", ["bl06", None])
def test_a_doi_is_written_by_the_key_of_the_experiment(visa: Visa, read: Read, visit: str | None) -> None:
    send(visa, USERS, user())
    send(visa, INVESTIGATIONS, investigation())
    assert run(visa, visit_id=visit).outcome is Outcome.ACKED
    assert read("SELECT id, doi, url FROM experiment") == [(EXPERIMENT, DOI, PAGE)]
    assert send(visa, INVESTIGATIONS, investigation(title="Again")).outcome is Outcome.ACKED
    assert read("SELECT doi FROM experiment") == [(DOI,)], "a later message about the visit keeps it"


def test_a_doi_that_matches_nothing_waits(visa: Visa) -> None:
    delivery = run(visa)
    assert delivery.outcome is Outcome.RETRIED
    assert delivery.failures[0].kind == "not-yet"
    assert f"VISA has no experiment {EXPERIMENT}" in delivery.failures[0].reason


@pytest.mark.parametrize(
    "icat", [Icat(name="20250000001"), Icat(visit="id01"), Icat(doi=None), Icat(doi="10.5072/of-another")]
)
def test_what_was_minted_for_another_investigation_is_refused(visa: Visa, read: Read, icat: Icat) -> None:
    send(visa, USERS, user())
    send(visa, INVESTIGATIONS, investigation())
    assert run(visa, icat).outcome is Outcome.DEAD
    assert read("SELECT doi FROM experiment") == [(None,)]


def test_another_operation_does_nothing(visa: Visa) -> None:
    assert run(visa, operations=["create-panosc-item"]).outcome is Outcome.ACKED
