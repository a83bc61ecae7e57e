"""Visits that cannot be stored, or not yet: what is said, and that ICAT stays as it was."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from pacer_core import Outcome
from pacer_icat import IcatClient
from plugins.pacer_icat.tests.crashing import state
from plugins.pacer_icat.tests.people import (
    INVESTIGATION_STATE,
    LOCAL,
    PI,
    Sync,
    deliver_investigation,
    investigation_message,
    members,
    read,
    roles,
)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"title": "t" * 256, "summary": "s" * 4001}, ["title", "summary"]),
        ({"name": "n" * 256, "icat_visit_id": "v" * 256}, ["name", "icat_visit_id"]),
        ({"end_date": "2025-07-13"}, ["end_date"]),
        ({"start_date": "1400-01-01", "end_date": "9999-12-31"}, ["start_date", "end_date"]),
        ({"start_date": "2025-07-14", "end_date": "9997-01-01"}, ["end_date"]),
        ({"user_list": members("Boss", "db/jdoe")}, ["user_list[0].role"]),
        ({"parameters": [{"name": "unheard of", "value": 1}]}, ["parameters[0].name"]),
        ({"parameters": [{"name": "temperature", "value": "warm", "units": "K"}]}, ["parameters[0].value"]),
        ({"parameters": [{"name": "scanType", "value": "x"}]}, ["parameters[0].name"]),
    ],
)
def test_bad_fields_are_named_before_anything_is_written(
    sync: Sync, plain: Any, changes: dict[str, Any], fields: list[str]
) -> None:
    delivery = sync(Outcome.DEAD, **changes)
    assert [one.path for one in delivery.bad_fields] == fields
    assert plain.search("SELECT COUNT(i) FROM Investigation i") == [4]


def test_a_count_without_a_type_in_icat_is_named(sync: Sync) -> None:
    delivery = sync(Outcome.DEAD, options={"visit_count_parameter": "parcels"})
    assert [str(one) for one in delivery.bad_fields] == [
        "visit_count: 'parcels' is no parameter type in ICAT"
    ]


@pytest.mark.parametrize("there", [False, True], ids=["new", "known"])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"type": "XX"}, "ICAT has no investigation type 'XX'"),
        ({"instrument": {"name": "x", "code": "bl99"}}, "ICAT has no instrument 'bl99'"),
        (
            {"user_list": members(PI, "db/jdoe", "ghost", "db/acord") + members(LOCAL, "ghoul")},
            "ICAT has no user for user_list[1].username, user_list[3].username",
        ),
        ({"facility": "Nowhere"}, "ICAT has no facility 'Nowhere'"),
        (
            {"type": "XX", "user_list": members(PI, "ghost")},
            "ICAT has no investigation type 'XX'; ICAT has no user for user_list[0].username",
        ),
    ],
)
def test_what_icat_does_not_know_yet_leaves_it_as_it_was(
    sync: Sync, plain: Any, there: bool, changes: dict[str, Any], said: str
) -> None:
    if there:
        sync(icat_visit_id="bl06")
    before = state(plain, INVESTIGATION_STATE)
    delivery = sync(Outcome.RETRIED, **{"icat_visit_id": "bl06", "title": "New title"} | changes)
    assert [(failure.kind, failure.reason) for failure in delivery.failures] == [("not-yet", said)]
    assert state(plain, INVESTIGATION_STATE) == before


def test_an_unknown_user_is_no_obstacle_once_icat_knows_them(sync: Sync, plain: Any) -> None:
    sync(Outcome.RETRIED, user_list=members(PI, "ghost"))
    plain.new("User", name="ghost").create()
    sync(user_list=members(PI, "ghost"))
    assert roles(read(plain)) == [("ghost", PI)]


def test_what_was_looked_up_and_is_gone_is_looked_up_again(sync: Sync, plain: Any) -> None:
    sync()
    (old,) = plain.search("SELECT t FROM InvestigationType t WHERE t.name = 'MX'")
    facility = plain.search("SELECT f FROM Facility f")[0]
    plain.delete(old)  # and all investigations of that type with it
    plain.new("InvestigationType", name="MX", facility=facility).create()
    sync()
    assert read(plain).type.name == "MX"


def test_an_account_without_rights_makes_the_message_wait(reader: IcatClient) -> None:
    delivery = deliver_investigation(investigation_message(), reader)
    assert delivery.outcome is Outcome.RETRIED
    assert "rights" in (delivery.error or "")


def test_nothing_personal_is_in_a_log_an_error_or_a_description(
    icat: IcatClient, reader: IcatClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    told = [
        deliver_investigation(investigation_message(), reader),
        deliver_investigation(investigation_message(user_list=members(PI, "db/acord", "db/jdoe2")), icat),
        deliver_investigation(investigation_message(user_list=members("x", "db/jdoe")), icat),
    ]
    said = json.dumps(
        [[one.error, [str(bad) for bad in one.bad_fields], dict(one.description)] for one in told]
    )
    assert "jdoe" not in said + caplog.text
