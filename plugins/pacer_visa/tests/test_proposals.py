"""Proposals, experiments and their members in VISA, on both shapes of its database."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from pacer_core import Outcome
from pacer_visa import Visa
from pacer_visa.options import ProposalOptions
from plugins.pacer_visa.tests.support import (
    EXPERIMENT,
    INVESTIGATIONS,
    PROPOSAL,
    USERS,
    investigation,
    member,
    send,
    user,
)

Read = Callable[..., list[Any]]

BOB = {"id": 8, "first_name": "Bob", "last_name": "B", "email": "Bob@Example.org"}


@pytest.fixture(autouse=True)
def _ada(visa: Visa) -> None:
    send(visa, USERS, user())


def eight(year: int, month: int, day: int) -> datetime:
    """Give eight in the morning by VISA's clock."""
    return datetime(year, month, day, 8)  # noqa: DTZ001 - VISA's columns have no offset


def members(read: Read) -> list[str]:
    return [one for (one,) in read("SELECT user_id FROM experiment_user ORDER BY user_id")]


def test_a_visit_becomes_a_proposal_an_experiment_and_members(visa: Visa, read: Read) -> None:
    assert send(visa, INVESTIGATIONS, investigation()).outcome is Outcome.ACKED
    assert read("SELECT id, identifier, title, summary, public_at FROM proposal") == [
        (
            PROPOSAL,
            "20250330096",
            "Diffraction of reference samples",
            "Thumbnails before the long run.",
            eight(2028, 7, 17),
        )
    ]
    assert read("SELECT id, instrument_id, proposal_id, start_date, end_date, title FROM experiment") == [
        (
            EXPERIMENT,
            6,
            PROPOSAL,
            eight(2025, 7, 14),
            eight(2025, 7, 17),
            "Diffraction of reference samples",
        )
    ]
    assert members(read) == ["7"], "two accounts of one person are one member"


def test_times_are_those_of_visas_clock(visa: Visa, read: Read) -> None:
    send(visa, INVESTIGATIONS, investigation(start_date="2025-07-14T06:00:00+00:00"))
    assert read("SELECT start_date FROM experiment") == [(eight(2025, 7, 14),)]


def test_what_is_not_for_visa_is_left_alone(visa: Visa, read: Read) -> None:
    assert send(visa, INVESTIGATIONS, investigation(visa_sync=False)).outcome is Outcome.ACKED
    assert read("SELECT count(*) FROM proposal") == [(0,)]


def test_data_of_industry_are_never_public(visa: Visa, read: Read) -> None:
    send(visa, INVESTIGATIONS, investigation(is_industrial=True))
    assert read("SELECT public_at FROM proposal") == [(None,)]


def test_the_embargo_is_an_option(visa: Visa, read: Read) -> None:
    send(visa, INVESTIGATIONS, investigation(), options=ProposalOptions(embargo_years=5))
    assert read("SELECT public_at FROM proposal") == [(eight(2030, 7, 17),)]


def test_members_are_those_of_the_last_message(visa: Visa, read: Read) -> None:
    send(visa, USERS, user(**BOB, user_list=[{"username": "bob"}]))
    send(visa, INVESTIGATIONS, investigation())
    send(visa, INVESTIGATIONS, investigation(user_list=[member("bob", "bob@example.org")]))
    assert members(read) == ["8"]
    send(visa, INVESTIGATIONS, investigation(user_list=[]))
    assert members(read) == []


def test_members_are_found_by_username_first_and_by_address_in_any_case(visa: Visa, read: Read) -> None:
    send(visa, USERS, user(**BOB, user_list=[{"username": "bob"}]))
    send(visa, INVESTIGATIONS, investigation(user_list=[member("BOB", "ada@example.org")]))
    assert members(read) == ["8"], "the username is the user office's; addresses change"
    send(visa, INVESTIGATIONS, investigation(user_list=[member("robert", "bob@example.org")]))
    assert members(read) == ["8"]


def test_unknown_members_are_awaited_and_never_replaced_by_anybody(visa: Visa, read: Read) -> None:
    send(visa, INVESTIGATIONS, investigation())
    delivery = send(
        visa, INVESTIGATIONS, investigation(user_list=[member("bob", "bob@example.org")]), twice=False
    )
    assert delivery.outcome is Outcome.RETRIED
    assert delivery.failures[0].kind == "not-yet"
    assert "members are not in VISA yet: 1 of 1" in delivery.failures[0].reason
    assert members(read) == ["7"], "nobody goes while somebody is not known"
    send(visa, USERS, user(**BOB, user_list=[{"username": "bob"}]))
    send(visa, INVESTIGATIONS, investigation(user_list=[member("bob", "bob@example.org")]))
    assert members(read) == ["8"]


def test_an_address_of_two_people_is_no_answer(visa: Visa, read: Read) -> None:
    send(visa, USERS, user(**BOB | {"email": "ADA@example.org"}, user_list=[{"username": "bob"}]))
    delivery = send(visa, INVESTIGATIONS, investigation(user_list=[member("x", "ada@example.org")]))
    assert delivery.outcome is Outcome.DEAD
    assert [bad.path for bad in delivery.bad_fields] == ["user_list[0].email"]
    assert read("SELECT count(*) FROM proposal") == [(0,)], "one message is one transaction"


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("BL06 - XAIRA", Outcome.ACKED),
        ("%", Outcome.RETRIED),
        ("BL99", Outcome.RETRIED),
        ("twin", Outcome.DEAD),
    ],
)
def test_the_instrument_is_found_by_its_whole_name(visa: Visa, name: str, outcome: Outcome) -> None:
    message = investigation(instrument={"name": name, "code": "bl06"})
    assert send(visa, INVESTIGATIONS, message, twice=False).outcome is outcome


def test_two_visits_of_one_proposal_are_two_experiments(visa: Visa, read: Read) -> None:
    send(visa, INVESTIGATIONS, investigation())
    other = {"name": "BL13 - XALOC", "code": "bl13"}
    send(visa, INVESTIGATIONS, investigation(icat_visit_id="bl13", instrument=other))
    assert read("SELECT id, instrument_id FROM experiment ORDER BY id") == [
        (EXPERIMENT, 6),
        ("20250330096/bl13", 13),
    ]
    assert read("SELECT count(*) FROM proposal") == [(1,)]


def test_an_older_message_changes_nothing(visa: Visa, read: Read) -> None:
    send(visa, INVESTIGATIONS, investigation(title="New"), stamp=datetime(2025, 5, 2, tzinfo=UTC))
    send(
        visa, INVESTIGATIONS, investigation(title="Old", user_list=[]), stamp=datetime(2025, 5, 1, tzinfo=UTC)
    )
    assert read("SELECT proposal.title, experiment.title FROM proposal, experiment") == [("New", "New")]
    assert members(read) == ["7"]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"visa_visit_id": None, "name": "HC-5042"}, "visa_visit_id"),
        ({"visa_visit_id": 2**63}, "visa_visit_id"),
        ({"icat_visit_id": "v" * 30}, "name"),
    ],
)
def test_what_visa_cannot_hold_is_named(visa: Visa, changes: dict[str, Any], path: str) -> None:
    delivery = send(visa, INVESTIGATIONS, investigation(**changes))
    assert delivery.outcome is Outcome.DEAD
    assert [bad.path for bad in delivery.bad_fields] == [path]


def test_instances_keep_their_experiment_and_their_members(visa: Visa, read: Read) -> None:
    send(visa, INVESTIGATIONS, investigation())
    read("INSERT INTO instance VALUES (1, 'mine')")
    read("INSERT INTO instance_experiment VALUES (1, %s)", EXPERIMENT)
    read("INSERT INTO instance_member VALUES (1, 1, '7')")
    send(visa, INVESTIGATIONS, investigation(user_list=[]))
    send(visa, USERS, user(enabled=False))
    assert read("SELECT count(*) FROM instance_experiment") == read("SELECT count(*) FROM instance_member")
    assert read("SELECT count(*) FROM instance_member") == [(1,)]


def test_many_writers_of_one_proposal_neither_deadlock_nor_lose(visa: Visa, read: Read) -> None:
    names = [f"bl{number:02}" for number in range(24)]

    def store(visit: str) -> Outcome:
        return send(visa, INVESTIGATIONS, investigation(icat_visit_id=visit)).outcome

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(store, names)) == {Outcome.ACKED}
    assert read("SELECT count(*) FROM experiment") == [(24,)]
    assert read("SELECT count(*) FROM experiment_user") == [(24,)]


def test_an_end_before_its_start_is_refused(visa: Visa, read: Read) -> None:
    delivery = send(visa, INVESTIGATIONS, investigation(end_date="2025-07-13"))
    assert delivery.outcome is Outcome.DEAD
    assert [str(one) for one in delivery.bad_fields] == ["end_date: is before start_date"]
    assert read("SELECT count(*) FROM proposal") == [(0,)]


@pytest.mark.parametrize("offsets", [("+02:00", "+01:00"), ("", "")], ids=["with offsets", "without"])
def test_an_experiment_in_the_hour_that_comes_twice_does_not_end_before_it_begins(
    visa: Visa, read: Read, caplog: pytest.LogCaptureFixture, offsets: tuple[str, str]
) -> None:
    start, end = (
        f"2025-10-26T{time}:00{offset}" for time, offset in zip(("02:30", "02:10"), offsets, strict=True)
    )
    message = investigation(start_date=start, end_date=end)
    assert send(visa, INVESTIGATIONS, message).outcome is Outcome.ACKED
    assert read("SELECT end_date - start_date = interval '0' FROM experiment") == [(True,)]
    assert "the experiment ends while clocks change" in caplog.text


def test_a_number_of_another_proposal_is_a_conflict(visa: Visa, read: Read) -> None:
    send(visa, INVESTIGATIONS, investigation())
    before = read("SELECT * FROM proposal"), read("SELECT * FROM experiment")
    for name, number in (("20259999999", PROPOSAL), ("2025-0330096", None)):
        delivery = send(visa, INVESTIGATIONS, investigation(name=name, visa_visit_id=number, title="Mine"))
        assert delivery.outcome is Outcome.DEAD
        (bad,) = delivery.bad_fields
        assert bad.path == "visa_visit_id"
        assert "the number of another proposal" in bad.message
    assert before == (read("SELECT * FROM proposal"), read("SELECT * FROM experiment"))


def test_an_experiment_of_another_proposal_is_a_conflict(visa: Visa, read: Read) -> None:
    send(visa, INVESTIGATIONS, investigation(name="a", icat_visit_id="b/c", visa_visit_id=1))
    before = read("SELECT * FROM experiment")
    other = investigation(name="a/b", icat_visit_id="c", visa_visit_id=2, title="Mine")
    delivery = send(visa, INVESTIGATIONS, other)
    assert delivery.outcome is Outcome.DEAD
    assert [bad.path for bad in delivery.bad_fields] == ["name"]
    assert read("SELECT * FROM experiment") == before
    assert read("SELECT count(*) FROM proposal") == [(1,)], "one message is one transaction"
