"""Users, their employers, roles and quotas in VISA, on both shapes of its database."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pacer_core import Outcome
from pacer_visa import Visa, VisaOptions
from plugins.pacer_visa.tests.support import USERS, send, user

Read = Callable[..., list[Any]]


def roles(read: Read) -> list[str]:
    return sorted(name for (name,) in read("SELECT name FROM user_role JOIN role ON role.id = role_id"))


def test_a_user_and_their_employer_are_stored_once(visa: Visa, read: Read) -> None:
    assert send(visa, USERS, user()).outcome is Outcome.ACKED
    assert read("SELECT id, name, town, country_code FROM employer") == [
        (3, "Analytical Engines", "London", "GB")
    ]
    assert read("SELECT id, first_name, last_name, email, affiliation_id, instance_quota FROM users") == [
        ("7", "Ada", "Lovelace", "ada@example.org", 3, 2)
    ]
    assert read("SELECT activated_at, last_seen_at FROM users") == [(None, None)], "VISA sets these"
    assert roles(read) == []


def test_a_change_of_a_user_is_stored_and_nothing_else_is_touched(visa: Visa, read: Read) -> None:
    send(visa, USERS, user())
    read("UPDATE users SET instance_quota = 5, activated_at = '2025-01-01', last_seen_at = '2025-01-02'")
    send(visa, USERS, user(last_name="King", affiliation={"id": 4, "name": "Court", "unit": "Mathematics"}))
    assert read("SELECT last_name, affiliation_id, instance_quota FROM users") == [("King", 4, 5)]
    assert read("SELECT activated_at IS NULL, last_seen_at IS NULL FROM users") == [(False, False)]
    assert read("SELECT name FROM employer ORDER BY id") == [("Analytical Engines",), ("Court, Mathematics",)]


def test_a_message_without_an_employer_leaves_the_one_there_is(visa: Visa, read: Read) -> None:
    send(visa, USERS, user())
    send(visa, USERS, user(affiliation=None))
    assert read("SELECT affiliation_id FROM users") == [(3,)]


def test_staff_get_their_role_by_name_and_lose_no_other(visa: Visa, read: Read) -> None:
    send(visa, USERS, user(is_staff=True))
    assert roles(read) == ["STAFF"], "never the role with number 1, which is ADMIN"
    read("INSERT INTO user_role SELECT '7', id FROM role WHERE name IN ('ADMIN', 'BL06 team')")
    send(visa, USERS, user(is_staff=True))
    assert roles(read) == ["ADMIN", "BL06 team", "STAFF"], "never twice, even without a key"
    send(visa, USERS, user(is_staff=False))
    assert roles(read) == ["ADMIN", "BL06 team"], "what PACER does not manage stays"


def test_a_role_that_expired_is_given_again(visa: Visa, read: Read) -> None:
    send(visa, USERS, user(is_staff=True))
    read("UPDATE user_role SET expires_at = '2020-01-01'")
    send(visa, USERS, user(is_staff=True))
    assert read("SELECT expires_at FROM user_role") == [(None,)]


def test_a_role_that_visa_does_not_have_is_an_error(visa: Visa, read: Read) -> None:
    read("DELETE FROM role WHERE name = 'STAFF'")
    delivery = send(visa, USERS, user(is_staff=True))
    assert delivery.outcome is Outcome.DEAD
    assert "VISA has no role 'STAFF'" in delivery.failures[0].reason
    assert read("SELECT count(*) FROM users") == [(0,)], "one message is one transaction"
    assert send(visa, USERS, user(is_staff=False)).outcome is Outcome.ACKED


@pytest.mark.parametrize("role", ["ADMIN", "admin ", ""])
def test_nobody_can_be_made_an_administrator(role: str, options: VisaOptions) -> None:
    with pytest.raises(ValueError, match="a role that PACER gives to nobody"):
        VisaOptions(host="x", username="u", password=options.password, time_zone="UTC", staff_role=role)


def test_a_disabled_user_has_no_instances_until_they_are_enabled(visa: Visa, read: Read) -> None:
    send(visa, USERS, user())
    read("UPDATE users SET instance_quota = 5")
    for _ in range(2):
        send(visa, USERS, user(enabled=False))
        assert read("SELECT instance_quota FROM users") == [(0,)]
    send(visa, USERS, user())
    assert read("SELECT instance_quota FROM users") == [(5,)], "what an administrator gave comes back"


def test_a_user_who_comes_disabled_gets_the_default_when_enabled(visa: Visa, read: Read) -> None:
    send(visa, USERS, user(enabled=False))
    assert read("SELECT instance_quota FROM users") == [(0,)]
    send(visa, USERS, user())
    assert read("SELECT instance_quota FROM users") == [(2,)]


def test_a_quota_of_none_that_an_administrator_set_stays(visa: Visa, read: Read) -> None:
    send(visa, USERS, user())
    read("UPDATE users SET instance_quota = 0")
    send(visa, USERS, user())
    assert read("SELECT instance_quota FROM users") == [(0,)]


def test_an_older_message_changes_nothing(visa: Visa, read: Read, caplog: pytest.LogCaptureFixture) -> None:
    send(visa, USERS, user(last_name="King"), stamp=datetime(2025, 5, 2, tzinfo=UTC))
    with caplog.at_level(logging.INFO):
        send(visa, USERS, user(), stamp=datetime(2025, 5, 1, tzinfo=UTC))
    assert read("SELECT last_name FROM users") == [("King",)]
    assert "VISA has a newer message about this user" in caplog.text
    send(visa, USERS, user(last_name="Byron"), stamp=datetime(2025, 5, 2, tzinfo=UTC))
    assert read("SELECT last_name FROM users") == [("Byron",)], "of the same second, the later to come"


@pytest.mark.parametrize(
    ("newer", "older"), [(1_777_680_001, 1_777_680_000), (1_777_680_000_002, 1_777_680_000_001)]
)
def test_a_stamp_counts_in_seconds_and_in_milliseconds(
    visa: Visa, read: Read, newer: int, older: int
) -> None:
    send(visa, USERS, user(last_name="Newer"), stamp=newer)
    send(visa, USERS, user(last_name="Older"), stamp=older)
    assert read("SELECT last_name FROM users") == [("Newer",)]


def test_a_stamp_in_milliseconds_is_compared_with_one_in_seconds(visa: Visa, read: Read) -> None:
    send(visa, USERS, user(last_name="Newer"), stamp=1_777_680_000_001)
    send(visa, USERS, user(last_name="Older"), stamp=1_777_680_000)
    send(visa, USERS, user(last_name="Last"), stamp=1_777_680_001)
    assert read("SELECT last_name FROM users") == [("Last",)]


@pytest.mark.parametrize("nonsense", [datetime.now(UTC) + timedelta(days=400), 0, 2**63])
def test_a_stamp_of_the_future_or_of_nothing_silences_nobody(
    visa: Visa, read: Read, nonsense: datetime | int
) -> None:
    send(visa, USERS, user(last_name="King"), stamp=nonsense)
    send(visa, USERS, user(last_name="Byron"))
    assert read("SELECT last_name FROM users") == [("Byron",)]


def test_texts_for_people_are_cut_and_identifiers_never(
    visa: Visa, read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    long = {"id": 3, "name": "n" * 150, "unit": "u" * 150, "city": "c" * 101}
    with caplog.at_level(logging.WARNING):
        assert send(visa, USERS, user(affiliation=long, first_name="f" * 101)).outcome is Outcome.ACKED
    assert read("SELECT length(name), length(town) FROM employer") == [(200, 100)]
    assert "VISA's employer.name holds 200 characters: a text of 302 is cut" in caplog.text
    delivery = send(visa, USERS, user(email="e" * 90 + "@example.org"))
    assert delivery.outcome is Outcome.DEAD
    assert [bad.path for bad in delivery.bad_fields] == ["email"]


def test_no_failure_quotes_a_person(visa: Visa, read: Read) -> None:
    read("ALTER TABLE users ADD CONSTRAINT strict CHECK (last_name <> 'Lovelace')")
    delivery = send(visa, USERS, user())
    assert delivery.outcome is Outcome.DEAD
    reason = delivery.failures[0].reason
    assert "table users" in reason
    assert "strict" in reason
    assert not any(text in f"{reason} {delivery.failures[0].trace}" for text in ("Ada", "Lovelace", "ada@"))


def test_a_name_of_another_person_is_a_conflict_and_changes_nothing(visa: Visa, read: Read) -> None:
    send(visa, USERS, user())
    before = read("SELECT * FROM users"), read("SELECT * FROM pacer_username ORDER BY username")
    for claimed in ("ada", "ADA ", "áda"):
        eve = user(id=666, email="eve@example.org", user_list=[{"username": "eve"}, {"username": claimed}])
        delivery = send(visa, USERS, eve)
        assert delivery.outcome is Outcome.DEAD
        (bad,) = delivery.bad_fields
        assert bad.path == "user_list[1].username"
        assert "belongs to user 7 in VISA" in bad.message
        assert "pacer_username" in bad.message
        assert "ada" not in bad.message
    assert before == (read("SELECT * FROM users"), read("SELECT * FROM pacer_username ORDER BY username"))


def test_a_name_of_somebody_who_is_gone_is_free(visa: Visa, read: Read) -> None:
    send(visa, USERS, user())
    read("DELETE FROM users")
    assert send(visa, USERS, user(id=8)).outcome is Outcome.ACKED
    assert read("SELECT DISTINCT user_id FROM pacer_username") == [("8",)]
