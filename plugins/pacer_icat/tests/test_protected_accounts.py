"""Accounts that no message of ``users`` may touch, and those of somebody else; each message comes twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from attrs import evolve

from pacer_core import Delivery, Outcome
from pacer_icat import IcatClient
from pacer_icat.client import Shared
from pacer_icat.users.options import UsersOptions
from pacer_icat.users.task import USERS
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.people import accounts, user_message
from plugins.pacer_icat.tests.support import deliver_to, options_for

URI = "https://orcid.org/0000-0002-1825-0097"


@pytest.fixture
def ingest(icat_server: IcatSandbox) -> Iterator[IcatClient]:
    """Give the client of an account that is no root user, and may write whatever consumers write."""
    shared = Shared(options_for(icat_server, username="ingest"))
    yield IcatClient(shared)
    shared.close()


def users(plain: Any) -> list[Any]:
    """Give all that ICAT holds of its users."""
    return sorted(
        (one.id, one.name, one.fullName, one.givenName, one.familyName, one.email, one.orcidId)
        for one in plain.search("SELECT u FROM User u")
    )


def refused(delivery: Delivery, plain: Any, before: list[Any], *, place: int = 0) -> str:
    """Check that a message is dead for one of its accounts, and has changed nothing; give the reason."""
    assert delivery.outcome is Outcome.DEAD
    (bad,) = delivery.bad_fields
    assert bad.path == f"user_list[{place}].username"
    assert users(plain) == before
    return bad.message


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize(
    "name",
    ["simple/root", "SIMPLE/Root ", "simple/r\u00f3ot", "simple/ro\u0301ot", "root", "db/root", "ldap/ROOT"],
)
def test_the_account_that_pacer_logs_in_with_is_never_touched(
    icat: IcatClient, plain: Any, name: str, enabled: bool
) -> None:
    for there in ("simple/root", "root", "db/root"):
        if not plain.search(f"SELECT u FROM User u WHERE u.name = '{there}'"):
            plain.new("User", name=there).create()
    before = users(plain)
    message = user_message(enabled=enabled, user_list=accounts("ada", name))
    options = UsersOptions(protected=())
    problem = refused(deliver_to(USERS, message, icat, options=options), plain, before, place=1)
    assert "is a protected account: it is PACER's own" in problem
    assert "by hand" in problem
    assert "root" not in problem.lower()


@pytest.mark.parametrize("enabled", [True, False])
def test_a_name_with_the_suffix_of_disabled_ones_is_no_name(
    icat: IcatClient, plain: Any, enabled: bool
) -> None:
    plain.new("User", name="ada__user_disabled").create()
    for name in ("ada__user_disabled", "simple/root__USER_disabled", "b\u00e9a__user_disabled "):
        message = user_message(enabled=enabled, user_list=accounts(name))
        problem = refused(deliver_to(USERS, message, icat), plain, users(plain))
        assert "'enabled: false'" in problem


def test_whom_icat_names_as_root_users_is_never_touched(
    icat: IcatClient, icat_server: IcatSandbox, plain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = evolve(icat_server.catalogue.accounts, root_users=frozenset({"simple/root", "db/jdoe"}))
    monkeypatch.setattr(icat_server.catalogue, "accounts", roots)
    before = users(plain)
    message = user_message(enabled=False, user_list=accounts("DB/JDoe"))
    assert "rootUserNames" in refused(deliver_to(USERS, message, icat), plain, before)


def test_who_may_change_users_or_rules_is_never_touched(icat: IcatClient, plain: Any) -> None:
    group = plain.new("Grouping", name="masters")
    group.create()
    (boss,) = plain.search("SELECT u FROM User u WHERE u.name = 'db/jdoe'")
    plain.new("UserGroup", grouping=group, user=boss).create()
    message = user_message(enabled=False, user_list=accounts("db/jdoe"))
    for letters, what in (("R", "Rule"), ("CRUD", "Sample"), ("CU", "SELECT r FROM Rule r")):
        plain.new("Rule", grouping=group, crudFlags=letters, what=what).create()
    before = users(plain)
    assert "users, groups or rules" in refused(deliver_to(USERS, message, icat), plain, before)


def test_who_may_only_read_rules_or_write_samples_is_one_among_others(icat: IcatClient, plain: Any) -> None:
    group = plain.new("Grouping", name="readers of rules")
    group.create()
    (somebody,) = plain.search("SELECT u FROM User u WHERE u.name = 'db/jdoe'")
    plain.new("UserGroup", grouping=group, user=somebody).create()
    for letters, what in (("R", "Rule"), ("CRUD", "Sample"), ("U", "SELECT s FROM Sample s, User u")):
        plain.new("Rule", grouping=group, crudFlags=letters, what=what).create()
    message = user_message(first_name="Jane", last_name="Doe", user_list=accounts("db/jdoe"))
    assert deliver_to(USERS, message, icat).outcome is Outcome.ACKED


@pytest.mark.parametrize(
    "name", ["db/root", "Admin", "anon/anon", "simple/svc-backup", "svc-ids", "ldap/ada"]
)
def test_what_the_options_protect_is_never_touched_and_never_made(
    ingest: IcatClient, plain: Any, name: str
) -> None:
    options = UsersOptions(protected=(*UsersOptions().protected, "SVC-*", "ldap/*"))
    message = user_message(user_list=accounts(name))
    assert "'protected'" in refused(deliver_to(USERS, message, ingest, options=options), plain, users(plain))


def test_other_authenticators_are_not_the_user_offices(ingest: IcatClient, plain: Any) -> None:
    options = UsersOptions(authenticators=("db", "LDAP"))
    for name in ("simple/ada", "ada", "dbx/ada"):
        message = user_message(user_list=accounts(name))
        problem = refused(deliver_to(USERS, message, ingest, options=options), plain, users(plain))
        assert "'authenticators'" in problem
    message = user_message(user_list=accounts("DB/ada", "ldap/ada"))
    assert deliver_to(USERS, message, ingest, options=options).outcome is Outcome.ACKED
    options = UsersOptions(authenticators=("",))
    assert deliver_to(USERS, user_message(), ingest, options=options).outcome is Outcome.ACKED


def test_a_message_that_asks_nothing_of_a_protected_account_is_done(icat: IcatClient, plain: Any) -> None:
    message = user_message(user_list=accounts("db/ada"))
    assert deliver_to(USERS, message, icat).outcome is Outcome.ACKED
    options = UsersOptions(protected=("db/ada",))
    assert deliver_to(USERS, message, icat, options=options).outcome is Outcome.ACKED


@pytest.mark.parametrize(
    "claim",
    [
        {"first_name": "Eve", "last_name": "X", "email": "eve@example.org", "ORCID": None},
        {"first_name": "Eve", "last_name": "X", "email": "eve@example.org", "enabled": False, "ORCID": None},
        {"last_name": "X", "email": "eve@example.org", "ORCID": "0000-0001-5109-3700"},
    ],
)
def test_an_account_of_another_person_is_a_conflict(
    icat: IcatClient, plain: Any, claim: dict[str, Any]
) -> None:
    deliver_to(USERS, user_message(user_list=accounts("db/ada")), icat)
    before = users(plain)
    delivery = deliver_to(USERS, user_message(id=666, user_list=accounts("db/ada"), **claim), icat)
    problem = refused(delivery, plain, before)
    assert "belongs to another person" in problem
    assert "ada" not in problem.lower()


@pytest.mark.parametrize(
    "change",
    [
        {"last_name": "King", "email": "king@example.org"},
        {"first_name": "Augusta", "last_name": "King", "email": "king@example.org"},
        {"first_name": "Augusta", "last_name": "King", "ORCID": None},
        {"ORCID": "0000-0001-5109-3700", "first_name": "Augusta", "last_name": "King"},
    ],
)
def test_a_person_may_change_their_name_and_address(icat: IcatClient, change: dict[str, Any]) -> None:
    deliver_to(USERS, user_message(), icat)
    assert deliver_to(USERS, user_message(**change), icat).outcome is Outcome.ACKED


def test_a_bare_orcid_id_in_icat_becomes_a_uri_in_one_write(
    icat: IcatClient, icat_server: IcatSandbox, plain: Any
) -> None:
    message = user_message(user_list=accounts("db/ada"))
    deliver_to(USERS, message, icat)
    (ada,) = plain.search("SELECT u FROM User u WHERE u.name = 'db/ada'")
    ada.orcidId = URI.rpartition("/")[2]
    ada.update()
    icat_server.misbehave.clear()
    for _ in range(3):
        deliver_to(USERS, message, icat, twice=False)
    assert icat_server.misbehave.calls["update"] == 1
    assert plain.search("SELECT u.orcidId FROM User u WHERE u.name = 'db/ada'") == [URI]


def test_more_accounts_than_a_person_has_are_refused(icat: IcatClient, plain: Any) -> None:
    message = user_message(user_list=accounts(*(f"ada{number}" for number in range(101))))
    delivery = deliver_to(USERS, message, icat)
    assert delivery.outcome is Outcome.DEAD
    assert [bad.path for bad in delivery.bad_fields] == ["user_list"]
