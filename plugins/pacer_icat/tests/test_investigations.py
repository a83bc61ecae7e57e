"""Visits of proposals, as messages in and as investigations of ICAT out; every message is handled twice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pacer_core import Outcome
from pacer_core.testing import context
from pacer_icat import ICAT, IcatClient
from pacer_icat.datasets.task import DATASETS
from pacer_icat.investigations.task import INVESTIGATIONS
from pacer_icat.users.task import USERS
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.people import (
    LOCAL,
    NAME,
    PARTICIPANT,
    PI,
    Sync,
    accounts,
    instruments,
    investigation_message,
    members,
    parameters,
    read,
    roles,
    user_message,
)
from plugins.pacer_icat.tests.support import CLOCK_CHANGES, dataset_message, deliver_to

NOUGHTS = {"__datasetCount": 0.0, "__sampleCount": 0.0, "__fileCount": 0.0, "__volume": 0.0}


def test_a_message_becomes_an_investigation_with_all_that_belongs_to_it(sync: Sync, plain: Any) -> None:
    delivery = sync()
    one = read(plain)
    assert (one.facility.name, one.visitId, one.type.name) == ("ALBA", "bl06", "MX")
    assert (one.title, one.summary) == ("Diffraction of reference samples", "Thumbnails before the long run.")
    # Midnight at the facility, which is in summer time.
    assert one.startDate == datetime(2025, 7, 13, 22, tzinfo=UTC)
    assert one.endDate == datetime(2025, 7, 16, 22, tzinfo=UTC)
    assert one.releaseDate == datetime(2028, 7, 16, 22, tzinfo=UTC)
    assert instruments(one) == ["bl06"]
    assert roles(one) == [("db/acord", PARTICIPANT), ("db/jdoe", PI)]
    assert parameters(one) == {"reimbursedParcels": 1.0, "sampleAcronyms": "cq", **NOUGHTS}
    assert one.doi is None
    assert delivery.facts == {"investigation_id": one.id}


def test_an_investigation_costs_one_write(sync: Sync, icat_server: IcatSandbox) -> None:
    sync()
    calls = icat_server.misbehave.calls
    assert (calls["create"], calls["createMany"], calls["update"], calls["deleteMany"]) == (1, 0, 0, 0)


def test_what_changed_is_updated(sync: Sync, plain: Any) -> None:
    sync()
    before = read(plain)
    sync(
        title="Another title",
        summary="Another summary",
        type="INHOUSE",
        start_date="2025-07-15",
        end_date="2025-07-18",
        visit_count=0,
        sample_acronyms=["cq", "lys"],
    )
    one = read(plain)
    assert one.id == before.id
    assert (one.title, one.summary, one.type.name) == ("Another title", "Another summary", "INHOUSE")
    assert one.startDate == datetime(2025, 7, 14, 22, tzinfo=UTC)
    assert one.releaseDate == datetime(2028, 7, 17, 22, tzinfo=UTC)
    assert parameters(one) == {"reimbursedParcels": 0.0, "sampleAcronyms": "cq,lys", **NOUGHTS}


def test_what_others_have_written_stays(sync: Sync, plain: Any) -> None:
    sync()
    one = read(plain)
    one.doi = "10.1/x"
    one.fileCount = 7
    one.update()
    (kind,) = plain.search("SELECT t FROM ParameterType t WHERE t.name = '__datasetCount'")
    (count,) = [p for p in read(plain).parameters if p.type.name == "__datasetCount"]
    count.investigation, count.type, count.numericValue = one, kind, 5.0
    count.update()
    sync(title="Another title")
    one = read(plain)
    assert (one.doi, one.fileCount, parameters(one)["__datasetCount"]) == ("10.1/x", 7, 5.0)


def test_the_same_message_writes_nothing_the_second_time(
    sync: Sync, icat: IcatClient, icat_server: IcatSandbox
) -> None:
    sync()
    icat_server.misbehave.clear()
    deliver_to(INVESTIGATIONS, investigation_message(), icat, twice=False)
    assert set(icat_server.misbehave.calls) == {"search"}


def test_names_and_visits_are_the_same_as_icat_compares_them(sync: Sync, plain: Any) -> None:
    sync(name="mx-ABC", icat_visit_id="V1")
    sync(name="MX-abc", icat_visit_id="v1", title="Another title")
    one = read(plain, "mx-abc")
    assert (one.name, one.visitId, one.title) == ("mx-ABC", "V1", "Another title")


def test_another_visit_is_another_investigation(sync: Sync, plain: Any) -> None:
    sync()
    sync(icat_visit_id="second", title="The second visit")
    found = plain.search(f"SELECT i.visitId, i.title FROM Investigation i WHERE i.name = '{NAME}'")
    assert sorted(map(tuple, found)) == [
        ("bl06", "Diffraction of reference samples"),
        ("second", "The second visit"),
    ]


def test_the_facility_is_the_message_s_own_where_it_has_one(sync: Sync, plain: Any) -> None:
    other = plain.new("Facility", name="Elsewhere")
    other.create()
    for entity, name in (("Instrument", "bl06"), ("InvestigationType", "MX")):
        plain.new(entity, name=name, facility=other).create()
    sync(facility="elsewhere", sample_acronyms=None, visit_count=None)
    one = read(plain)
    assert (one.facility.name, instruments(one), parameters(one)) == ("Elsewhere", ["bl06"], {})


def test_what_is_not_wanted_in_icat_is_not_there(sync: Sync, plain: Any) -> None:
    sync(icat_sync=None)
    sync(icat_sync=False)
    assert plain.search(f"SELECT i FROM Investigation i WHERE i.name = '{NAME}'") == []


def test_the_instrument_is_found_by_its_code_and_changes_with_it(sync: Sync, plain: Any) -> None:
    sync(instrument={"name": "whatever", "code": "BL06"})
    assert instruments(read(plain)) == ["bl06"]
    sync(instrument={"name": "BL13 - XALOC", "code": "bl13"})
    assert instruments(read(plain)) == ["bl13"]


def test_a_dataset_sees_the_new_instrument_at_once(sync: Sync, icat: IcatClient) -> None:
    def ingest(name: str, instrument: str) -> Outcome:
        message = dataset_message(name=name, investigation=NAME, instrument=instrument, location=f"/{name}")
        return deliver_to(DATASETS, message, icat).outcome

    sync()
    assert ingest("run1", "bl06") is Outcome.ACKED
    sync(instrument={"name": "BL13 - XALOC", "code": "bl13"})
    assert ingest("run2", "bl06") is Outcome.RETRIED
    assert ingest("run2", "bl13") is Outcome.ACKED


def test_members_are_those_of_the_message_and_nobody_else(sync: Sync, plain: Any) -> None:
    sync()
    kept = {one.user.name: one.id for one in read(plain).investigationUsers}
    sync(user_list=members(PI, "db/jdoe") + members(LOCAL, "db/nbour", "db/rbeck"))
    one = read(plain)
    assert roles(one) == [("db/jdoe", PI), ("db/nbour", LOCAL), ("db/rbeck", LOCAL)]
    assert kept["db/jdoe"] in [member.id for member in one.investigationUsers]
    sync(user_list=[])
    assert roles(read(plain)) == []


def test_a_role_of_nobody_s_messages_is_left_alone(sync: Sync, plain: Any) -> None:
    sync()
    (user,) = plain.search("SELECT u FROM User u WHERE u.name = 'db/rbeck'")
    plain.new("InvestigationUser", investigation=read(plain), user=user, role="Data steward").create()
    sync(user_list=members(PI, "db/jdoe"))
    assert roles(read(plain)) == [("db/jdoe", PI), ("db/rbeck", "Data steward")]


def test_a_participant_with_another_role_has_that_one_alone(sync: Sync, plain: Any) -> None:
    sync(
        user_list=members(PARTICIPANT, "db/jdoe", "db/acord")
        + members(PI, "DB/JDOE")
        + members(LOCAL, "db/jdoe")
    )
    assert roles(read(plain)) == [("db/acord", PARTICIPANT), ("db/jdoe", LOCAL), ("db/jdoe", PI)]


def test_a_member_given_twice_is_one(sync: Sync, plain: Any) -> None:
    sync(user_list=members(PI, "db/jdoe", "DB/JDOE ", "db/jdoé"))
    assert roles(read(plain)) == [("db/jdoe", PI)]


def test_somebody_who_is_disabled_is_a_member_still(sync: Sync, plain: Any) -> None:
    (user,) = plain.search("SELECT u FROM User u WHERE u.name = 'db/acord'")
    user.name = "db/acord__user_disabled"
    user.update()
    sync()
    assert roles(read(plain)) == [("db/acord__user_disabled", PARTICIPANT), ("db/jdoe", PI)]


def test_a_member_is_found_under_the_name_that_users_stores(sync: Sync, icat: IcatClient, plain: Any) -> None:
    deliver_to(USERS, user_message(user_list=accounts("İpek Ö", "STRASSE")), icat)
    sync(user_list=members(PI, "İPEK ö") + members(LOCAL, "Straße", "strasse"), outcome=Outcome.RETRIED)
    sync(user_list=members(PI, "İPEK ö") + members(LOCAL, "strasse"))
    assert [role for _, role in roles(read(plain))] == [PI, LOCAL]


def test_more_members_than_fit_into_one_question_are_found(sync: Sync, plain: Any) -> None:
    names = [f"db/guest{n}" for n in range(120)]
    plain.createMany([plain.new("User", name=name) for name in names])
    sync(user_list=members(PARTICIPANT, *names))
    assert len(roles(read(plain))) == 120


def test_industry_is_never_released(sync: Sync, plain: Any) -> None:
    sync(type="INDUSTRIAL", is_industrial=True)
    assert read(plain).releaseDate is None
    sync(type="MX", is_industrial=False)
    assert read(plain).releaseDate is not None
    sync(type="industrial", is_industrial=False)
    assert read(plain).releaseDate is None


def test_what_is_industrial_has_to_be_of_that_type(sync: Sync, plain: Any) -> None:
    delivery = sync(Outcome.DEAD, is_industrial=True)
    assert [one.path for one in delivery.bad_fields] == ["type"]
    sync(options={"industrial_type": "MX"}, is_industrial=True)
    assert read(plain).releaseDate is None


def test_the_embargo_is_an_option(sync: Sync, plain: Any) -> None:
    sync(options={"embargo_years": 0}, end_date="2025-07-17T10:00:00+02:00")
    assert read(plain).releaseDate == datetime(2025, 7, 17, 8, tzinfo=UTC)


def test_parameters_are_stored_by_their_types_and_updated(sync: Sync, plain: Any) -> None:
    sync(parameters=[{"name": "temperature", "value": "4", "units": "K"}])
    assert parameters(read(plain))["temperature"] == 4.0
    sync(parameters=[{"name": "Temperature", "value": 5, "units": "K"}])
    assert parameters(read(plain))["temperature"] == 5.0
    sync()
    assert parameters(read(plain))["temperature"] == 5.0


def test_a_message_without_count_and_acronyms_leaves_them_alone(sync: Sync, plain: Any) -> None:
    sync()
    sync(visit_count=None, sample_acronyms=None)
    assert parameters(read(plain)) == {"reimbursedParcels": 1.0, "sampleAcronyms": "cq", **NOUGHTS}


def test_a_message_that_says_there_are_no_acronyms_removes_them(sync: Sync, plain: Any) -> None:
    sync(sample_acronyms=[])
    assert "sampleAcronyms" not in parameters(read(plain))
    sync()
    sync(sample_acronyms=[])
    assert parameters(read(plain)) == {"reimbursedParcels": 1.0, **NOUGHTS}


def test_acronyms_that_do_not_fit_are_left_out_whole(
    sync: Sync, plain: Any, caplog: pytest.LogCaptureFixture
) -> None:
    sync(sample_acronyms=[f"{n:03}" for n in range(1000)] + ["x"])
    stored = parameters(read(plain))["sampleAcronyms"].split(",")
    assert stored == [f"{n:03}" for n in range(1000)]
    assert f"investigation {NAME}: 1 sample acronyms are left out" in caplog.text


def test_the_parameters_of_count_and_acronyms_are_options(sync: Sync, plain: Any) -> None:
    sync(options={"visit_count_parameter": "temperature", "sample_acronyms_parameter": None})
    assert parameters(read(plain)) == {"temperature": 1.0, **NOUGHTS}


def test_counts_without_types_in_icat_are_left_out(sync: Sync, plain: Any) -> None:
    plain.deleteMany(plain.search("SELECT t FROM ParameterType t WHERE t.name LIKE '\\_\\_%'"))
    sync()
    assert parameters(read(plain)) == {"reimbursedParcels": 1.0, "sampleAcronyms": "cq"}


def test_text_arrives_as_it_was_sent(sync: Sync, plain: Any, icat_server: IcatSandbox) -> None:
    title = "quote ' double \" back \\ amp & lt < 日本 é 😀 50% _"
    summary = "first line\n\tsecond line\r\n third <b>line</b>"
    sync(title=title, summary=summary, sample_acronyms=["l'été"])
    one = read(plain)
    assert (one.title, one.summary, parameters(one)["sampleAcronyms"]) == (title, summary, "l'été")
    icat_server.misbehave.clear()
    sync(title=title, summary=summary, sample_acronyms=["l'été"])
    assert set(icat_server.misbehave.calls) == {"search"}


def test_all_visits_of_a_proposal_have_one_key_and_keep_their_order(icat: IcatClient) -> None:
    assert INVESTIGATIONS.key is not None
    assert INVESTIGATIONS.key.space == (DATASETS.key and DATASETS.key.space)
    assert INVESTIGATIONS.key.ordered
    message = deliver_to(INVESTIGATIONS, investigation_message(name="mx-1 "), icat).message
    assert INVESTIGATIONS.key.of(message, context(integrations={ICAT: icat})) == "MX-1"


@pytest.mark.parametrize(("start", "end", "seconds"), CLOCK_CHANGES)
def test_no_visit_ends_before_it_begins_when_clocks_change(
    sync: Sync, plain: Any, start: str, end: str, seconds: int
) -> None:
    assert sync(start_date=start, end_date=end).outcome is Outcome.ACKED
    one = read(plain)
    assert (one.endDate - one.startDate).total_seconds() == seconds
