"""Whatever a user office has said, in whatever order: ICAT holds what follows from it by a plain rule."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pacer_core import Outcome
from pacer_icat import IcatClient, fold
from pacer_icat.client import Shared
from pacer_icat.users.task import USERS
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.people import (
    LOCAL,
    NAME,
    PARTICIPANT,
    PI,
    accounts,
    deliver_investigation,
    instruments,
    investigation_message,
    members,
    parameters,
    read,
    roles,
    user_message,
)
from plugins.pacer_icat.tests.support import deliver_to, options_for

AGAIN = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PEOPLE = ["db/jdoe", "db/acord", "db/nbour"]
SPELLINGS = st.sampled_from([*PEOPLE, "DB/JDOE", "db/Acord "])

visits = st.fixed_dictionaries(
    {
        "title": st.sampled_from(["one", "two"]),
        "type": st.sampled_from(["MX", "INHOUSE", "INDUSTRIAL"]),
        "instrument": st.sampled_from([{"name": "x", "code": "bl06"}, {"name": "x", "code": "BL13"}]),
        "user_list": st.lists(st.tuples(SPELLINGS, st.sampled_from([PI, LOCAL, PARTICIPANT])), max_size=5),
        "visit_count": st.none() | st.integers(0, 3),
        "sample_acronyms": st.none() | st.lists(st.sampled_from(["a", "b", "ü"]), unique=True, max_size=3),
    }
)
people = st.fixed_dictionaries(
    {
        "first_name": st.sampled_from(["Ada", "Augusta"]),
        "enabled": st.booleans(),
        "user_list": st.lists(st.sampled_from(["ada", "ADA", "adá", "ada2", "Ada3"]), min_size=1, max_size=3),
        "ORCID": st.none() | st.sampled_from(["0000-0002-1825-0097", "0000-0001-5109-3700"]),
    }
)


@AGAIN
@given(history=st.lists(visits, min_size=1, max_size=4))
def test_an_investigation_is_what_was_said_last(
    icat_server: IcatSandbox, plain: Any, history: list[dict[str, Any]]
) -> None:
    icat_server.reset()
    shared = Shared(options_for(icat_server))
    client = IcatClient(shared)
    stored: dict[str, Any] = {}
    for said in history:
        listed = [one for name, role in said["user_list"] for one in members(role, name)]
        message = investigation_message(icat_visit_id="v1", **said | {"user_list": listed})
        assert deliver_investigation(message, client, twice=False).outcome is Outcome.ACKED
        if said["visit_count"] is not None:
            stored["reimbursedParcels"] = float(said["visit_count"])
        if said["sample_acronyms"] is not None:
            stored["sampleAcronyms"] = ",".join(said["sample_acronyms"])
    shared.close()
    last = history[-1]
    visit = read(plain, NAME)
    assert (visit.title, visit.type.name) == (last["title"], last["type"])
    assert (visit.releaseDate is None) == (last["type"] == "INDUSTRIAL")
    assert instruments(visit) == [last["instrument"]["code"].lower()]
    given_roles = {(name.strip().lower(), role) for name, role in last["user_list"]}
    better = {name for name, role in given_roles if role != PARTICIPANT}
    assert roles(visit) == sorted(
        (name, role) for name, role in given_roles if role != PARTICIPANT or name not in better
    )
    found = {name: value for name, value in parameters(visit).items() if not name.startswith("__")}
    assert found == {name: value for name, value in stored.items() if value != ""}


@AGAIN
@given(history=st.lists(people, min_size=1, max_size=5))
def test_every_account_is_what_was_said_last_about_it(
    icat_server: IcatSandbox, plain: Any, history: list[dict[str, Any]]
) -> None:
    icat_server.reset()
    shared = Shared(options_for(icat_server))
    client = IcatClient(shared)
    expected: dict[str, tuple[str, str, str | None]] = {}
    for said in history:
        message = user_message(**said | {"user_list": accounts(*said["user_list"])})
        if said["ORCID"] is None:
            message.pop("ORCID", None)
        assert deliver_to(USERS, message, client, twice=False).outcome is Outcome.ACKED
        for name in {fold(one): one for one in reversed(said["user_list"])}.values():
            before = expected.get(fold(name), ("", "", None))
            expected[fold(name)] = (
                name.lower() + ("" if said["enabled"] else "__user_disabled"),
                said["first_name"],
                before[2] if said["ORCID"] is None else f"https://orcid.org/{said['ORCID']}",
            )
    shared.close()
    rows = plain.search("SELECT u.name, u.givenName, u.orcidId FROM User u WHERE u.name LIKE 'ada%'")
    assert sorted(map(tuple, rows)) == sorted(expected.values())
