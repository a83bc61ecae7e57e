"""Users and investigations: a crash at every single call to ICAT, and many writers at once."""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from pacer_core import ConsumerType, Outcome
from pacer_icat import IcatClient
from pacer_icat.client import Shared
from pacer_icat.datasets.task import DATASETS
from pacer_icat.investigations.task import INVESTIGATIONS
from pacer_icat.schema import Entity
from pacer_icat.users.task import USERS
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.crashing import Crash, OneWrite, Overtaken, in_threads, process, state, writes
from plugins.pacer_icat.tests.people import (
    INVESTIGATION_STATE,
    LOCAL,
    PARTICIPANT,
    PI,
    USER_STATE,
    accounts,
    investigation_message,
    members,
    read,
    roles,
    user_message,
)
from plugins.pacer_icat.tests.support import dataset_message, deliver_to, options_for

OTHER_VISIT = investigation_message(
    title="Another title",
    type="INHOUSE",
    instrument={"name": "BL13 - XALOC", "code": "bl13"},
    user_list=members(PI, "db/acord") + members(LOCAL, "db/nbour", "db/rbeck"),
    visit_count=3,
    sample_acronyms=[],
    parameters=[{"name": "temperature", "value": 4, "units": "K"}],
)
SCENARIOS: list[Any] = [
    pytest.param(USERS, USER_STATE, [], user_message(), id="new-user"),
    pytest.param(
        USERS,
        USER_STATE,
        [user_message(user_list=accounts("ada", "ada2", "ada3"))],
        user_message(last_name="Lovelace", user_list=accounts("ada", "ada3", "ada4", "ada5")),
        id="user",
    ),
    pytest.param(USERS, USER_STATE, [user_message()], user_message(enabled=False), id="disabled"),
    pytest.param(
        USERS, USER_STATE, [user_message(enabled=False)], user_message(email="a@example.org"), id="enabled"
    ),
    pytest.param(INVESTIGATIONS, INVESTIGATION_STATE, [], investigation_message(), id="new-investigation"),
    pytest.param(
        INVESTIGATIONS, INVESTIGATION_STATE, [investigation_message()], OTHER_VISIT, id="investigation"
    ),
    pytest.param(INVESTIGATIONS, INVESTIGATION_STATE, [OTHER_VISIT], investigation_message(), id="back"),
]


@pytest.mark.parametrize("after", [False, True], ids=["before-icat", "after-icat"])
@pytest.mark.parametrize(("consumer", "what", "earlier", "message"), SCENARIOS)
def test_a_crash_at_any_call_is_mended_by_the_next_delivery(
    icat_server: IcatSandbox,
    plain: Any,
    entities: list[Entity],
    consumer: ConsumerType,
    what: Mapping[str, str],
    earlier: list[Any],
    message: Any,
    after: bool,
) -> None:
    def prepare() -> None:
        icat_server.reset()
        for one in earlier:
            deliver_to(consumer, one, IcatClient(process(icat_server, entities)), twice=False)

    prepare()
    shared = process(icat_server, entities)
    assert deliver_to(consumer, message, IcatClient(shared), twice=False).outcome is Outcome.ACKED
    calls, expected = shared.wire.calls, state(plain, what)
    for at in range(1, calls + 1):
        prepare()
        with pytest.raises(Crash):
            deliver_to(consumer, message, IcatClient(process(icat_server, entities, at, after=after)))
        again = IcatClient(process(icat_server, entities))
        assert deliver_to(consumer, message, again, twice=False).outcome is Outcome.ACKED
        assert state(plain, what) == expected, f"after a crash at call {at} of {calls}"


def _is(at: int, call: int, _: bytes) -> bool:
    return call == at


@pytest.mark.parametrize(("consumer", "what", "earlier", "message"), SCENARIOS)
def test_a_second_writer_at_any_moment_leaves_everything_once(
    icat_server: IcatSandbox,
    plain: Any,
    entities: list[Entity],
    consumer: ConsumerType,
    what: Mapping[str, str],
    earlier: list[Any],
    message: Any,
) -> None:
    def another(one: Any) -> None:
        client = IcatClient(process(icat_server, entities))
        assert deliver_to(consumer, one, client, twice=False).outcome is Outcome.ACKED

    def prepare() -> None:
        icat_server.reset()
        for one in earlier:
            another(one)

    prepare()
    shared = process(icat_server, entities)
    deliver_to(consumer, message, IcatClient(shared), twice=False)
    calls, expected = shared.wire.calls, state(plain, what)
    for at in range(1, calls + 1):
        prepare()
        poster = Overtaken(icat_server, partial(_is, at), partial(another, message))
        client = IcatClient(process(icat_server, entities, poster=poster))
        delivery = deliver_to(consumer, message, client, twice=False)
        assert delivery.outcome is Outcome.ACKED, f"overtaken at call {at} of {calls}: {delivery.error}"
        assert state(plain, what) == expected, f"overtaken at call {at} of {calls}"


@pytest.mark.parametrize(("consumer", "what", "earlier", "message"), SCENARIOS)
def test_a_second_writer_who_is_always_one_step_ahead_leaves_everything_once(
    icat_server: IcatSandbox,
    plain: Any,
    entities: list[Entity],
    consumer: ConsumerType,
    what: Mapping[str, str],
    earlier: list[Any],
    message: Any,
) -> None:
    def sneak() -> None:
        with suppress(Crash):
            client = IcatClient(process(icat_server, entities, poster=OneWrite(icat_server)))
            deliver_to(consumer, message, client, twice=False)

    states = []
    for poster in (None, Overtaken(icat_server, lambda _, body: writes(body), sneak)):
        icat_server.reset()
        for one in earlier:
            deliver_to(consumer, one, IcatClient(process(icat_server, entities)), twice=False)
        client = IcatClient(process(icat_server, entities, poster=poster))
        delivery = deliver_to(consumer, message, client, twice=False)
        assert delivery.outcome is Outcome.ACKED, delivery.error
        states.append(state(plain, what))
    assert states[0] == states[1]


def test_an_investigation_never_stands_there_by_halves(
    icat_server: IcatSandbox, plain: Any, entities: list[Entity]
) -> None:
    shared = process(icat_server, entities)
    before = state(plain, INVESTIGATION_STATE)
    deliver_to(INVESTIGATIONS, investigation_message(), IcatClient(shared), twice=False)
    whole = state(plain, INVESTIGATION_STATE)
    for at in range(1, shared.wire.calls + 1):
        icat_server.reset()
        client = IcatClient(process(icat_server, entities, at, after=True))
        with pytest.raises(Crash):
            deliver_to(INVESTIGATIONS, investigation_message(), client)
        assert state(plain, INVESTIGATION_STATE) in (before, whole)


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no deadlock."""
    monkeypatch.setattr("pacer_icat.wire.time.sleep", lambda _: None)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("deadlocks", [0, 5])
def test_eight_writers_leave_every_user_once(icat_server: IcatSandbox, plain: Any, deadlocks: int) -> None:
    messages = [
        user_message(id=n + 1, first_name=f"Ada {n}", user_list=accounts(f"ada{n}", f"ada{n}-b", f"ada{n}-c"))
        for n in range(6)
    ]
    if deadlocks:
        icat_server.misbehave.deadlock(every=deadlocks)
    shared = Shared(options_for(icat_server))
    outcomes: list[Outcome] = []

    def work(seed: int) -> None:
        client = IcatClient(shared)
        shuffled = random.Random(seed).sample(messages, len(messages))
        outcomes.extend(deliver_to(USERS, one, client, twice=False).outcome for one in shuffled)

    in_threads(work, 8)
    shared.close()
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
    shared = Shared(options_for(icat_server))
    outcomes: list[Outcome] = []

    def work(seed: int) -> None:
        client = IcatClient(shared)
        shuffled = random.Random(seed).sample(work_to_do, len(work_to_do))
        outcomes.extend(deliver_to(consumer, one, client, twice=False).outcome for consumer, one in shuffled)

    in_threads(work, 8)
    shared.close()
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
