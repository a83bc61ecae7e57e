"""Users and investigations with many writers at once, an ICAT in trouble, and an account that is not root."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest

from pacer_core import ConsumerType, Outcome
from pacer_icat import IcatClient
from pacer_icat.client import Shared
from pacer_icat.datasets.task import DATASETS
from pacer_icat.investigations.task import INVESTIGATIONS
from pacer_icat.users.task import USERS
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.crashing import eight_writers, state
from plugins.pacer_icat.tests.people import (
    PARTICIPANT,
    SCENARIOS,
    accounts,
    investigation_message,
    members,
    read,
    roles,
    user_message,
)
from plugins.pacer_icat.tests.support import dataset_message, deliver_to, options_for


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("deadlocks", [0, 5])
def test_eight_writers_leave_every_user_once(icat_server: IcatSandbox, plain: Any, deadlocks: int) -> None:
    messages = [
        user_message(id=n + 1, first_name=f"Ada {n}", user_list=accounts(f"ada{n}", f"ada{n}-b", f"ada{n}-c"))
        for n in range(6)
    ]
    if deadlocks:
        icat_server.misbehave.deadlock(every=deadlocks)
    outcomes = eight_writers(icat_server, [(USERS, one) for one in messages])
    assert outcomes == [Outcome.ACKED] * 48
    found = plain.search("SELECT u.name, u.givenName FROM User u WHERE u.name LIKE 'ada%'")
    assert sorted(map(tuple, found)) == [
        (f"ada{n}{suffix}", f"Ada {n}") for n in range(6) for suffix in ("", "-b", "-c")
    ]


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("deadlocks", [0, 5])
def test_eight_writers_in_one_investigation_lose_nothing(
    icat_server: IcatSandbox, plain: Any, deadlocks: int
) -> None:
    """Without lanes: the same visit again and again, other visits, and datasets, all of one proposal."""
    proposal = {"name": "20250330096"}
    later = {"start_date": "2026-01-01", "end_date": "2026-01-02"}
    visits = [
        investigation_message(**proposal, **later, icat_visit_id=f"visit {n}", visit_count=n)
        for n in range(3)
    ]
    work_to_do: list[tuple[ConsumerType, Any]] = [(INVESTIGATIONS, one) for one in visits]
    work_to_do.append((INVESTIGATIONS, investigation_message(**proposal, title="New title", visit_count=9)))
    work_to_do += [
        (DATASETS, dataset_message(name=f"run{n}", location=f"/data/run{n}", datafiles=None))
        for n in range(2)
    ]
    if deadlocks:
        icat_server.misbehave.deadlock(every=deadlocks)
    outcomes = eight_writers(icat_server, work_to_do)
    assert outcomes == [Outcome.ACKED] * 48
    rows = plain.search(
        "SELECT o.visitId, o.title, p.numericValue FROM InvestigationParameter p JOIN p.investigation o "
        "WHERE p.type.name = 'reimbursedParcels'"
    )
    title = "Diffraction of reference samples"
    assert sorted(map(tuple, rows)) == [
        ("bl06", "New title", 9.0),
        *((f"visit {n}", title, float(n)) for n in range(3)),
    ]
    members_of_all = "SELECT COUNT(u) FROM InvestigationUser u WHERE u.investigation.name = '20250330096'"
    assert plain.search(members_of_all) == [8]
    datasets = plain.search("SELECT d.name, d.investigation.visitId FROM Dataset d")
    assert sorted(map(tuple, datasets)) == [("run0", "bl06"), ("run1", "bl06")]


def test_writers_with_different_members_one_after_another_leave_the_last_ones(
    icat_server: IcatSandbox, plain: Any
) -> None:
    """As lanes let them: each on another client, none at the same time."""
    names = ["db/jdoe", "db/acord", "db/nbour", "db/rbeck"]
    for number in range(8):
        shared = Shared(options_for(icat_server))
        chosen = members(PARTICIPANT, *random.Random(number).sample(names, 2))
        message = investigation_message(user_list=chosen)
        assert deliver_to(INVESTIGATIONS, message, IcatClient(shared)).outcome is Outcome.ACKED
        shared.close()
        assert roles(read(plain)) == sorted((one["username"], PARTICIPANT) for one in chosen)


@pytest.mark.parametrize(("consumer", "what", "earlier", "message"), SCENARIOS)
def test_an_account_with_just_the_rights_it_needs_is_enough(
    icat_server: IcatSandbox,
    plain: Any,
    consumer: ConsumerType,
    what: Mapping[str, str],
    earlier: list[Any],
    message: Any,
) -> None:
    """As root may do everything, a missing right shows with another account alone."""
    states = []
    for account in ("root", "useroffice"):
        icat_server.reset()
        shared = Shared(options_for(icat_server, username=account))
        for one in (*earlier, message):
            delivery = deliver_to(consumer, one, IcatClient(shared))
            assert delivery.outcome is Outcome.ACKED, delivery.error
        shared.close()
        states.append(state(plain, what))
    assert states[0] == states[1]


@pytest.mark.parametrize(("consumer", "what", "earlier", "message"), SCENARIOS)
@pytest.mark.parametrize("trouble", ["deadlock", "lost-request", "lost-answer"])
@pytest.mark.usefixtures("_impatient")
def test_trouble_at_any_write_costs_a_repetition_and_nothing_else(
    icat_server: IcatSandbox,
    plain: Any,
    consumer: ConsumerType,
    what: Mapping[str, str],
    earlier: list[Any],
    message: Any,
    trouble: Any,
) -> None:
    def run(at: int) -> tuple[list[Outcome], list[list[str]], int]:
        icat_server.reset()
        shared = Shared(options_for(icat_server))
        client = IcatClient(shared)
        for one in earlier:
            deliver_to(consumer, one, client, twice=False)
        icat_server.misbehave.clear()
        if at:
            icat_server.misbehave.fail(trouble, at=at, operation="writes")
        outcomes = [deliver_to(consumer, message, client, twice=False).outcome for _ in range(2)]
        shared.close()
        calls = icat_server.misbehave.calls
        writes = sum(calls[one] for one in ("create", "createMany", "update", "deleteMany"))
        icat_server.misbehave.clear()
        return outcomes, state(plain, what), writes

    _, expected, writes = run(0)
    for at in range(1, writes + 1):
        outcomes, found, _ = run(at)
        first = Outcome.ACKED if trouble == "deadlock" else Outcome.RETRIED
        assert outcomes == [first, Outcome.ACKED], f"{trouble} at write {at} of {writes}"
        assert found == expected, f"after {trouble} at write {at} of {writes}"


@pytest.mark.parametrize(
    ("consumer", "entity", "message"),
    [(USERS, "User", user_message()), (INVESTIGATIONS, "Investigation", investigation_message())],
)
def test_a_fault_that_nobody_understands_is_tried_again(
    icat: IcatClient, icat_server: IcatSandbox, consumer: ConsumerType, entity: str, message: Any
) -> None:
    icat_server.misbehave.fail("internal", every=1, operation="writes", entity=entity)
    delivery = deliver_to(consumer, message, icat)
    assert delivery.outcome is Outcome.RETRIED
    assert [one.kind for one in delivery.failures] == ["retry"]
    assert "INTERNAL: the sandbox was told to fail here" in (delivery.error or "")


@pytest.mark.parametrize(
    ("consumer", "message"),
    [(USERS, user_message()), (INVESTIGATIONS, investigation_message()), (DATASETS, dataset_message())],
)
def test_a_database_that_takes_no_writes_for_a_while_is_held_against_no_message(
    icat: IcatClient, icat_server: IcatSandbox, consumer: ConsumerType, message: Any
) -> None:
    icat_server.misbehave.fail("read-only", every=1, operation="writes")
    first = deliver_to(consumer, message, icat, twice=False)
    assert first.outcome is Outcome.RETRIED
    assert [one.kind for one in first.failures] == ["away"], first.error
    icat_server.misbehave.clear()
    assert deliver_to(consumer, message, icat, twice=False).outcome is Outcome.ACKED
