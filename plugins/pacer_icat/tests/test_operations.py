"""What is asked for about an investigation: checked here, done by other plugins."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from pacer_core import Context, Delivery, Outcome, task
from pacer_icat import ICAT, IcatClient
from pacer_icat.operations.options import OperationsOptions
from pacer_icat.operations.task import OPERATIONS
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.support import deliver_to, example

Ask = Callable[..., Delivery]
MINT, PANOSC = "mint-proposal", "create-panosc-item"


@pytest.fixture
def visit(plain: Any) -> Any:
    """An investigation of the demo facility that has everything, as a python-icat entity."""
    (one,) = plain.search(
        "SELECT i FROM Investigation i WHERE i.name = '20250340039' INCLUDE i.facility, i.type"
    )
    one.releaseDate = datetime(2026, 1, 1, tzinfo=UTC)
    one.update()
    (kind,) = plain.search("SELECT t FROM DatasetType t WHERE t.name = 'raw'")
    plain.new("Dataset", name="run1", complete=True, investigation=one, type=kind).create()
    return one


@pytest.fixture
def ask(icat: IcatClient) -> Ask:
    """Ask for operations, with every task twice."""

    def ask(options: dict[str, Any] | None = None, **changes: Any) -> Delivery:
        message = example("investigation-operations.json") | changes
        return deliver_to(OPERATIONS, message, icat, options=OperationsOptions(**(options or {})))

    return ask


def problems(delivery: Delivery) -> list[str]:
    """Give the bad fields of a message that is dead."""
    assert delivery.outcome is Outcome.DEAD
    return [str(one) for one in delivery.bad_fields]


def test_an_investigation_with_everything_is_left_to_the_other_plugins(
    ask: Ask, visit: Any, icat_server: IcatSandbox
) -> None:
    icat_server.misbehave.clear()
    delivery = ask()
    assert delivery.outcome is Outcome.ACKED
    assert delivery.facts == {"investigation_id": visit.id, "visit_id": "bl06"}
    assert not {"create", "createMany", "update", "deleteMany"} & icat_server.misbehave.calls.keys()


def test_a_task_of_another_plugin_joins_in_and_waits_for_the_check(icat: IcatClient, visit: Any) -> None:
    seen: list[Any] = []

    @task(needs=[ICAT], after=["check_investigation"])
    def archive(_: Any, ctx: Context) -> None:
        seen.append(ctx.facts["investigation_id"])

    consumer = OPERATIONS.with_tasks([archive])
    message = example("investigation-operations.json")
    deliver_to(consumer, message | {"name": "unheard of"}, icat, twice=False)
    assert seen == []
    assert deliver_to(consumer, message, icat, twice=False).outcome is Outcome.ACKED
    assert seen == [visit.id]


def test_without_a_visit_the_only_one_is_meant(ask: Ask, visit: Any) -> None:
    assert ask(visit_id=None).facts["investigation_id"] == visit.id
    assert ask(visit_id="BL06").facts["investigation_id"] == visit.id


def test_without_a_visit_several_are_not_clear(ask: Ask, visit: Any, plain: Any) -> None:
    plain.new(
        "Investigation",
        name=visit.name,
        visitId="second",
        title="t",
        facility=visit.facility,
        type=visit.type,
    ).create()
    assert problems(ask(visit_id=None)) == ["visit_id: is missing, and the proposal has 2 visits"]
    assert ask(visit_id="bl06").outcome is Outcome.ACKED


@pytest.mark.parametrize("changes", [{"name": "unheard of"}, {"visit_id": "other"}])
def test_an_investigation_that_is_not_there_is_waited_for(ask: Ask, visit: Any, changes: Any) -> None:
    (failure,) = ask(**changes).failures
    assert failure.kind == "not-yet"
    assert "ICAT has no investigation" in failure.reason


def test_an_operation_that_nobody_knows_is_named(ask: Ask, visit: Any) -> None:
    known = "mint-proposal, create-panosc-item, reindex"
    assert problems(ask(operations=[MINT, "mint-dataset"])) == [f"operations[1]: is none of {known}"]
    assert problems(ask(operations=[])) == ["operations: are missing"]


def test_reindexing_needs_nothing_but_the_investigation(ask: Ask, plain: Any) -> None:
    assert ask(operations=["reindex"]).outcome is Outcome.ACKED


def test_a_facility_may_have_operations_of_its_own(ask: Ask, plain: Any) -> None:
    delivery = ask(options={"operations": ("archive",)}, operations=["archive"])
    assert delivery.outcome is Outcome.ACKED


@pytest.mark.parametrize("operation", [MINT, PANOSC])
def test_industry_is_never_published(ask: Ask, visit: Any, plain: Any, operation: str) -> None:
    (visit.type,) = plain.search("SELECT t FROM InvestigationType t WHERE t.name = 'INDUSTRIAL'")
    visit.doi = "10.1/x"
    visit.update()
    refusal = f"operations[0]: {operation} is not for industrial investigations"
    assert problems(ask(operations=[operation])) == [refusal]
    assert ask(operations=[operation], options={"industrial_type": "X"}).outcome is Outcome.ACKED


@pytest.mark.parametrize("operation", [MINT, PANOSC])
def test_dates_have_to_be_there_and_the_end_in_the_past(
    ask: Ask, visit: Any, plain: Any, operation: str
) -> None:
    visit.doi, visit.startDate, visit.releaseDate = "10.1/x", None, None
    visit.endDate = datetime(9000, 1, 1, tzinfo=UTC)
    visit.update()
    assert problems(ask(operations=[operation])) == [
        f"operations[0]: {operation} needs an investigation with a start and a release date in ICAT",
        f"operations[0]: {operation} is for investigations that have ended",
    ]


def test_users_and_instruments_have_to_be_there(ask: Ask, visit: Any, plain: Any) -> None:
    for entity in ("InvestigationUser", "InvestigationInstrument"):
        plain.deleteMany(plain.search(f"SELECT o FROM {entity} o WHERE o.investigation.id = {visit.id}"))
    assert problems(ask(operations=[MINT, PANOSC])) == [
        "operations[0]: mint-proposal needs an investigation with an instrument in ICAT",
        "operations[0]: mint-proposal needs an investigation with users in ICAT",
        "operations[1]: create-panosc-item needs an investigation with an instrument in ICAT",
    ]


def test_datasets_are_waited_for(ask: Ask, visit: Any, plain: Any) -> None:
    plain.deleteMany(plain.search("SELECT d FROM Dataset d"))
    (failure,) = ask().failures
    assert (failure.kind, failure.reason) == (
        "not-yet",
        "mint-proposal: the investigation has no datasets in ICAT",
    )


def test_a_doi_is_waited_for_unless_it_is_minted_here(ask: Ask, visit: Any) -> None:
    (failure,) = ask(operations=[PANOSC]).failures
    assert (failure.kind, failure.reason) == (
        "not-yet",
        "create-panosc-item: the investigation has no DOI in ICAT",
    )
    assert ask(operations=[MINT, PANOSC]).outcome is Outcome.ACKED
    visit.doi = "10.1/x"
    visit.update()
    assert ask(operations=[PANOSC]).outcome is Outcome.ACKED


def test_minting_again_is_no_mistake(ask: Ask, visit: Any) -> None:
    visit.doi = "10.1/x"
    visit.update()
    assert ask(operations=[MINT]).outcome is Outcome.ACKED


def test_an_icat_that_is_away_makes_the_message_wait(ask: Ask, visit: Any, icat_server: IcatSandbox) -> None:
    icat_server.misbehave.away()
    assert [failure.kind for failure in ask().failures] == ["retry"]
    icat_server.misbehave.away(False)
    assert ask().outcome is Outcome.ACKED
