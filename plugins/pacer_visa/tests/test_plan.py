"""What `pacer plan` says of VISA: it is asked in transactions in which PostgreSQL refuses every change."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from pacer_core import ConsumerType
from pacer_core.testing import deliver, foresee
from pacer_icat import ICAT
from pacer_visa import VISA, Visa
from pacer_visa.faults import VisaAway
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
from plugins.pacer_visa.tests.test_dois import DOI, OPERATIONS, PAGE, Icat

Read = Callable[..., list[Any]]


def said(visa: Visa, consumer: ConsumerType, message: dict[str, Any]) -> Any:
    """Give what the only task plans, or why it would not do its work."""
    (found,) = foresee(consumer, json.dumps(message), integrations={VISA: visa}).values()
    return [(one.change, one.what, one.detail) for one in found] if isinstance(found, tuple) else found


def test_a_user_is_foreseen_and_then_there(visa: Visa, read: Read) -> None:
    assert said(visa, USERS, user(is_staff=True)) == [
        ("new", "employer 3", ""),
        ("new", "user 7", ""),
        ("new", "role STAFF", ""),
    ]
    assert read("SELECT count(*) FROM users") == [(0,)]
    assert read("SELECT to_regclass('visa.pacer_stamp')") == [(None,)]  # not even a table of PACER's own
    assert send(visa, USERS, user(is_staff=True)).error is None
    assert {change for change, _, _ in said(visa, USERS, user(is_staff=True))} == {"there"}
    assert said(visa, USERS, user(email="lovelace@example.org", enabled=False)) == [
        ("there", "employer 3", ""),
        ("changed", "user 7", "email"),
        ("changed", "user 7", "may run no instance any more"),
        ("removed", "role STAFF", ""),
    ]
    assert read("SELECT email, instance_quota FROM users") == [("ada@example.org", 2)]


def test_a_user_name_of_somebody_else_is_said_beforehand(visa: Visa, read: Read) -> None:
    assert send(visa, USERS, user()).error is None
    failure = said(visa, USERS, user(id=8))
    assert failure.kind == "reject"
    assert [field.path for field in failure.fields] == ["user_list[0].username", "user_list[1].username"]
    assert read("SELECT id FROM users") == [("7",)]


def test_a_message_that_was_overtaken_would_change_nothing(visa: Visa) -> None:
    later = datetime(2100, 1, 1, tzinfo=UTC)
    with visa.transaction() as connection:
        connection.execute("INSERT INTO pacer_stamp VALUES ('user:7', %s)", [later])
        connection.execute("INSERT INTO pacer_stamp VALUES (%s, %s)", [f"proposal:{PROPOSAL}", later])
        connection.execute("INSERT INTO pacer_stamp VALUES (%s, %s)", [f"experiment:{EXPERIMENT}", later])
    assert {change for change, _, _ in said(visa, USERS, user())} == {"left-out"}
    assert {change for change, _, _ in said(visa, INVESTIGATIONS, investigation())} == {"left-out"}


def test_a_proposal_is_foreseen_and_then_there(visa: Visa, read: Read) -> None:
    waiting = said(visa, INVESTIGATIONS, investigation())
    assert (waiting.kind, waiting.reason) == ("not-yet", "members are not in VISA yet: 2 of 2")
    assert send(visa, USERS, user()).error is None
    assert said(visa, INVESTIGATIONS, investigation()) == [
        ("new", f"proposal {PROPOSAL}", ""),
        ("new", f"experiment {EXPERIMENT}", ""),
        ("new", "1 of the members", ""),
    ]
    assert read("SELECT count(*) FROM proposal") == [(0,)]
    assert send(visa, INVESTIGATIONS, investigation()).error is None
    assert {one[0] for one in said(visa, INVESTIGATIONS, investigation())} == {"there"}
    changed = investigation(title="Another", user_list=[member("eve", "eve@example.org")])
    assert said(visa, INVESTIGATIONS, changed).kind == "not-yet"
    assert (
        send(visa, USERS, user(id=9, email="eve@example.org", user_list=[{"username": "eve"}])).error is None
    )
    assert said(visa, INVESTIGATIONS, changed) == [
        ("changed", f"proposal {PROPOSAL}", "title"),
        ("changed", f"experiment {EXPERIMENT}", "title"),
        ("new", "1 of the members", ""),
        ("removed", "1 of the members", ""),
    ]
    assert said(visa, INVESTIGATIONS, investigation(visa_sync=False))[0][0] == "left-out"
    assert read("SELECT title FROM proposal") == [("Diffraction of reference samples",)]


def test_a_doi_is_foreseen_and_then_there(visa: Visa) -> None:
    def plan(icat: Icat) -> Any:
        body = json.dumps({"name": "20250330096", "visit_id": "bl06", "operations": ["mint-proposal"]})
        facts = {"doi": DOI, "doi_url": PAGE, "investigation_id": 1}
        return foresee(OPERATIONS, body, integrations={VISA: visa, ICAT: icat}, facts=facts)["store_visa_doi"]

    assert plan(Icat(doi=None)).kind == "not-yet"
    assert send(visa, USERS, user()).error is None
    assert send(visa, INVESTIGATIONS, investigation()).error is None
    assert [one.change for one in plan(Icat(doi=None))] == ["changed"]  # ICAT gets it before VISA does
    assert plan(Icat(doi="10.5072/another")).kind == "reject"
    body = json.dumps({"name": "20250330096", "visit_id": "bl06", "operations": ["mint-proposal"]})
    assert deliver(OPERATIONS, body, integrations={VISA: visa, ICAT: Icat()}).error is None
    assert [one.change for one in plan(Icat())] == ["there"]


def test_a_plan_that_wrote_would_be_refused(visa: Visa, read: Read) -> None:
    with pytest.raises(VisaAway, match="read-only"), visa.reading() as connection:
        connection.execute("INSERT INTO employer (id) VALUES (1)")
    assert read("SELECT count(*) FROM employer") == [(0,)]
    assert send(visa, USERS, user()).error is None  # the connection writes again
