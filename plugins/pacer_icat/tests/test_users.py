"""People and their accounts, as messages in and as ICAT's users out; every message is handled twice."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from pacer_core import Delivery, Outcome
from pacer_icat import IcatClient
from pacer_icat.users.options import UsersOptions
from pacer_icat.users.task import USERS
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.people import Sync, accounts, user_message
from plugins.pacer_icat.tests.support import deliver_to

ORCID = "https://orcid.org/0000-0002-1825-0097"


@pytest.fixture
def sync_user(icat: IcatClient) -> Sync:
    """Send a message about Ada, with every task twice."""

    def sync_user(**changes: Any) -> Delivery:
        delivery = deliver_to(USERS, user_message(**changes), icat)
        assert delivery.outcome is Outcome.ACKED, delivery.error
        return delivery

    return sync_user


def read(plain: Any) -> dict[str, Any]:
    """Give Ada's users, whose names all begin alike, by name."""
    return {one.name: one for one in plain.search("SELECT u FROM User u WHERE u.name LIKE 'ada%'")}


def test_a_person_becomes_a_user_for_each_account(sync_user: Sync, plain: Any) -> None:
    sync_user()
    found = read(plain)
    assert sorted(found) == ["ada", "ada2"]
    for one in found.values():
        assert (one.givenName, one.familyName, one.fullName) == ("Ada", "L", "Ada L")
        assert (one.email, one.orcidId) == ("ada@example.org", ORCID)
        assert one.affiliation == "Analytical Engines"


def test_what_changed_is_updated_and_what_is_missing_is_created(sync_user: Sync, plain: Any) -> None:
    sync_user(user_list=accounts("ada"))
    before = read(plain)["ada"]
    sync_user(user_list=accounts("Ada", "ada3"), last_name="Lovelace", email="lovelace@example.org")
    found = read(plain)
    assert sorted(found) == ["ada", "ada3"]
    assert (found["ada"].id, found["ada"].fullName) == (before.id, "Ada Lovelace")
    assert {one.email for one in found.values()} == {"lovelace@example.org"}


def test_the_same_message_writes_nothing_the_second_time(
    sync_user: Sync, icat: IcatClient, icat_server: IcatSandbox
) -> None:
    sync_user()
    icat_server.misbehave.clear()
    deliver_to(USERS, user_message(), icat, twice=False)
    assert dict(icat_server.misbehave.calls) == {"search": 1}


def test_what_a_message_leaves_out_stays(sync_user: Sync, plain: Any) -> None:
    sync_user()
    sync_user(ORCID=None, affiliation=None)
    for one in read(plain).values():
        assert one.orcidId == ORCID
        assert one.affiliation == "Analytical Engines"


@pytest.mark.parametrize("spelling", ["ADA", "Ada ", "áda"])
def test_names_are_the_same_as_icat_compares_them_and_stored_in_lower_case(
    sync_user: Sync, plain: Any, spelling: str
) -> None:
    there = plain.new("User", name="Ada", fullName="Somebody")
    there.create()
    sync_user(user_list=accounts(spelling))
    (one,) = plain.search("SELECT u FROM User u WHERE u.name = 'ada'")
    assert (one.id, one.name) == (there.id, spelling.strip().lower())
    assert one.fullName == "Ada L"


def test_two_spellings_of_one_name_are_one_account(sync_user: Sync, plain: Any) -> None:
    sync_user(user_list=accounts("Ada", "ADA", "áda"))
    assert sorted(read(plain)) == ["ada"]


def test_disabling_and_enabling_keep_the_user_and_its_history(sync_user: Sync, plain: Any) -> None:
    sync_user()
    before = read(plain)
    (visit,) = plain.search("SELECT i FROM Investigation i WHERE i.name = '20250330096'")
    plain.new("InvestigationUser", investigation=visit, user=before["ada"], role="Participant").create()
    sync_user(enabled=False)
    disabled = read(plain)
    assert sorted(disabled) == ["ada2__user_disabled", "ada__user_disabled"]
    assert disabled["ada__user_disabled"].id == before["ada"].id
    sync_user(enabled=True, user_list=accounts("ADA", "ada2"))
    enabled = read(plain)
    assert {name: one.id for name, one in enabled.items()} == {name: one.id for name, one in before.items()}
    assert plain.search("SELECT COUNT(u) FROM InvestigationUser u WHERE u.user.name = 'ada'") == [1]


def test_somebody_new_and_disabled_cannot_log_in_from_the_first_moment(sync_user: Sync, plain: Any) -> None:
    sync_user(enabled=False, user_list=accounts("ada"))
    assert sorted(read(plain)) == ["ada__user_disabled"]


def test_the_suffix_is_an_option(icat: IcatClient, plain: Any) -> None:
    options = UsersOptions(disabled_suffix="-OFF")
    deliver_to(USERS, user_message(), icat, options=options)
    deliver_to(USERS, user_message(enabled=False), icat, options=options)
    assert sorted(read(plain)) == ["ada-OFF", "ada2-OFF"]


@pytest.mark.parametrize("suffix", ["", " ", "off "])
def test_a_suffix_that_icat_would_not_see_is_refused(suffix: str) -> None:
    with pytest.raises(ValueError, match="blanks"):
        UsersOptions(disabled_suffix=suffix)


def test_who_is_there_twice_is_not_disabled_by_halves(icat: IcatClient, plain: Any) -> None:
    for name in ("ada", "ada__user_disabled"):
        plain.new("User", name=name).create()
    delivery = deliver_to(USERS, user_message(enabled=False), icat)
    assert delivery.outcome is Outcome.DEAD
    assert [one.path for one in delivery.bad_fields] == ["user_list[0].username"]
    assert sorted(read(plain)) == ["ada", "ada__user_disabled"]


def test_who_is_there_twice_is_updated_where_enabled(
    sync_user: Sync, plain: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("ada", "ada__user_disabled"):
        plain.new("User", name=name).create()
    sync_user(user_list=accounts("ada"))
    assert {name: one.fullName for name, one in read(plain).items()} == {
        "ada": "Ada L",
        "ada__user_disabled": None,
    }
    assert "one is the other, disabled" in caplog.text


def test_an_affiliation_is_name_unit_and_department_cut_at_255(sync_user: Sync, plain: Any) -> None:
    affiliation = {"id": 3, "name": "N", "unit": "", "department_name": "D"}
    sync_user(affiliation=affiliation)
    assert read(plain)["ada"].affiliation == "N, D"
    sync_user(affiliation=affiliation | {"unit": "u" * 300})
    assert read(plain)["ada"].affiliation == f"N, {'u' * 252}"


def test_what_is_too_long_for_icat_is_named_before_anything_is_written(icat: IcatClient, plain: Any) -> None:
    message = user_message(
        first_name="A" * 256,
        email=f"{'a' * 250}@example.org",
        user_list=accounts("ada", "ada" + "a" * 245),
    )
    delivery = deliver_to(USERS, message, icat)
    assert delivery.outcome is Outcome.DEAD
    assert [one.path for one in delivery.bad_fields] == ["first_name", "email", "user_list[1].username"]
    assert read(plain) == {}


def test_text_arrives_as_it_was_sent(sync_user: Sync, plain: Any) -> None:
    sync_user(last_name='O\'Neill "日本" & <Söhne> 😀', user_list=accounts("ada o'x"))
    (one,) = read(plain).values()
    assert (one.name, one.familyName) == ("ada o'x", 'O\'Neill "日本" & <Söhne> 😀')


def test_an_account_without_rights_makes_the_message_wait(
    icat_server: IcatSandbox, reader: IcatClient
) -> None:
    delivery = deliver_to(USERS, user_message(), reader)
    assert delivery.outcome is Outcome.RETRIED
    assert "rights" in (delivery.error or "")


def test_nothing_personal_is_in_a_log_an_error_or_a_description(
    icat: IcatClient, reader: IcatClient, plain: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    plain.new("User", name="ada").create()
    plain.new("User", name="ada__user_disabled").create()
    told = [
        deliver_to(USERS, user_message(enabled=False), icat),
        deliver_to(USERS, user_message(), icat),
        deliver_to(USERS, user_message(email="ada@example.org" * 20), icat),
        deliver_to(USERS, user_message(), reader),
    ]
    said = json.dumps(
        [[one.error, [str(bad) for bad in one.bad_fields], dict(one.description)] for one in told]
    )
    assert "ada" not in (said + caplog.text).lower()
