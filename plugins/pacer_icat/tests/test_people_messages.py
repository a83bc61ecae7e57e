"""What user offices send about people and proposals, in the spellings that publishers use."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

from pacer_core import BadField, ConsumerType, Outcome
from pacer_core.testing import deliver
from pacer_icat import Investigation, InvestigationOperations, User
from pacer_icat.investigations.message import describe as describe_investigation
from pacer_icat.operations.message import describe as describe_operations
from pacer_icat.users.message import describe as describe_user

MESSAGES = Path(__file__).parent / "messages"
USERS = ConsumerType(name="users", message=User, tasks=[], describe=describe_user)
INVESTIGATIONS = ConsumerType(
    name="investigations", message=Investigation, tasks=[], describe=describe_investigation
)
OPERATIONS = ConsumerType(
    name="operations", message=InvestigationOperations, tasks=[], describe=describe_operations
)


def body(name: str, /, **changes: Any) -> str:
    """Give a message of a facility with some fields changed."""
    return json.dumps(json.loads((MESSAGES / name).read_text()) | changes)


def test_a_user_of_alba_is_read() -> None:
    delivery = deliver(USERS, body("user.json"))
    assert attrs.asdict(delivery.message) == {
        "id": 7,
        "first_name": "Ada",
        "last_name": "L",
        "email": "ada@example.org",
        "enabled": True,
        "user_list": ({"username": "Ada"}, {"username": "ada2"}),
        "orcid": "0000-0002-1825-0097",
        "is_staff": False,
        "affiliation": {
            "id": 3,
            "name": "Analytical Engines",
            "code": "",
            "unit": "",
            "department_name": "",
            "department_code": "",
            "city": "London",
            "country_code": "GB",
        },
    }
    assert delivery.description == {"user": "7"}


def test_what_is_optional_of_a_user_may_be_null() -> None:
    affiliation = {"id": 3, "name": "X", "unit": None, "department_name": " D "}
    message = deliver(USERS, body("user.json", ORCID=None, affiliation=affiliation)).message
    assert message.orcid is None
    assert message.affiliation.text == "X, D"


def test_a_user_in_xml_is_read() -> None:
    text = (
        "<user xmlns='http://example.org'><id>7</id><first_name>Ada</first_name><lastName>L</lastName>"
        "<email>ada@example.org</email><enabled>false</enabled><ORCID/>"
        "<user_list><username>ada</username></user_list><user_list><username>ada2</username></user_list>"
        "<affiliation><id>3</id><unit/></affiliation></user>"
    )
    message = deliver(USERS, text).message
    assert [one.username for one in message.user_list] == ["ada", "ada2"]
    assert (message.enabled, message.affiliation.unit) == (False, "")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": 0}, "id"),
        ({"first_name": " "}, "first_name"),
        ({"enabled": "perhaps"}, "enabled"),
        ({"user_list": []}, "user_list"),
        ({"user_list": [{"username": ""}]}, "user_list[0].username"),
        ({"affiliation": {"id": -1}}, "affiliation.id"),
    ],
)
def test_a_bad_field_of_a_user_is_named(changes: dict[str, Any], field: str) -> None:
    delivery = deliver(USERS, body("user.json", **changes))
    assert delivery.outcome is Outcome.DEAD
    assert [one.path for one in delivery.bad_fields] == [field]


def test_an_investigation_of_alba_is_read() -> None:
    delivery = deliver(INVESTIGATIONS, body("investigation.json"))
    assert attrs.asdict(delivery.message) == {
        "name": "20250330096",
        "start_date": datetime(2025, 7, 14),  # noqa: DTZ001 - as sent
        "end_date": datetime(2025, 7, 17),  # noqa: DTZ001 - as sent
        "title": "Diffraction of reference samples",
        "summary": "Thumbnails before the long run.",
        "type": "MX",
        "instrument": {"name": "BL06 - XAIRA", "code": "bl06"},
        "facility": None,
        "user_list": (
            {"username": "ada", "email": "ada@example.org", "role": "Principal investigator"},
            {"username": "ada2", "email": "ada@example.org", "role": "Participant"},
        ),
        "icat_visit_id": "bl06",
        "visa_visit_id": 20250330096,
        "icat_sync": True,
        "visa_sync": True,
        "is_industrial": False,
        "visit_count": 1,
        "sample_acronyms": ("cq",),
        "parameters": (),
    }
    assert delivery.description == {
        "investigation": "20250330096",
        "visit": "bl06",
        "instrument": "bl06",
    }


def test_an_investigation_in_xml_is_read() -> None:
    text = (
        "<investigation xmlns='http://example.org'><name>2025-1</name><startDate>2025-07-14</startDate>"
        "<end_date>2025-07-17</end_date><title>t</title><summary>s</summary><type>MX</type>"
        "<instrument><name>BL06 - XAIRA</name><code>BL06</code></instrument><icatSync>true</icatSync>"
        "<user_list><username>ada</username><email>a@example.org</email><role>Participant</role></user_list>"
        "<user_list><username>bob</username><email>b@example.org</email><role>Participant</role></user_list>"
        "<sample_acronym>cq</sample_acronym><sample_acronym>lys</sample_acronym>"
        "<parameter><name>temperature</name><value>4</value><units>K</units></parameter></investigation>"
    )
    message = deliver(INVESTIGATIONS, text).message
    assert (message.name, message.visit_id, message.icat_sync) == ("2025-1", "bl06", True)
    assert [one.username for one in message.user_list] == ["ada", "bob"]
    assert message.sample_acronyms == ("cq", "lys")
    assert [(one.name, one.value, one.units) for one in message.parameters] == [("temperature", "4", "K")]


def test_the_visit_is_the_instrument_s_code_in_lower_case_where_none_is_given() -> None:
    instrument = {"name": "BL13 - XALOC", "code": "BL13"}
    message = deliver(
        INVESTIGATIONS, body("investigation.json", icat_visit_id=None, instrument=instrument)
    ).message
    assert message.visit_id == "bl13"
    assert (message.icat_sync, message.visa_sync) == (True, True)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2025-07-14", datetime(2025, 7, 14)),  # noqa: DTZ001 - as sent
        ("2025-07-14T09:30:00", datetime(2025, 7, 14, 9, 30)),  # noqa: DTZ001 - as sent
        ("2025-07-14_09:30:00", datetime(2025, 7, 14, 9, 30)),  # noqa: DTZ001 - as sent
        ("2025-07-14 09:30:00Z", datetime(2025, 7, 14, 9, 30, tzinfo=UTC)),
        ("07/14/2025", datetime(2025, 7, 14)),  # noqa: DTZ001 - as sent
        ("14/07/2025", datetime(2025, 7, 14)),  # noqa: DTZ001 - as sent
        ("14/07/2025 09:30:00", datetime(2025, 7, 14, 9, 30)),  # noqa: DTZ001 - as sent
        ("07/08/2025 09:30:00", datetime(2025, 7, 8, 9, 30)),  # noqa: DTZ001 - as sent
    ],
)
def test_a_date_may_be_written_in_many_ways(written: str, meant: datetime) -> None:
    message = deliver(INVESTIGATIONS, body("investigation.json", start_date=written)).message
    assert message.start_date == meant


@pytest.mark.parametrize("written", ["yesterday", "2025-02-30", "14/14/2025"])
def test_what_is_no_date_is_named(written: str) -> None:
    delivery = deliver(INVESTIGATIONS, body("investigation.json", end_date=written))
    assert delivery.bad_fields == (BadField("end_date", "is not accepted (NoDateError)"),)


@pytest.mark.parametrize("missing", ["name", "title", "summary", "type", "instrument", "start_date"])
def test_what_an_investigation_must_have_is_named(missing: str) -> None:
    delivery = deliver(INVESTIGATIONS, body("investigation.json", **{missing: None}))
    assert [one.path for one in delivery.bad_fields] == [missing]


def test_data_are_released_some_years_after_the_end_and_never_for_industry() -> None:
    def release(**changes: Any) -> datetime | None:
        message: Investigation = deliver(INVESTIGATIONS, body("investigation.json", **changes)).message
        return message.release_date(embargo_years=3)

    assert release() == datetime(2028, 7, 17)  # noqa: DTZ001 - as sent
    assert release(end_date="2024-02-29") == datetime(2027, 2, 28)  # noqa: DTZ001 - as sent
    assert release(is_industrial=True) is None


@pytest.mark.parametrize(
    "name", ["investigation-operations.json", "investigation-operations-without-visit.json"]
)
def test_operations_are_read_with_and_without_a_visit(name: str) -> None:
    delivery = deliver(OPERATIONS, body(name))
    assert delivery.message.operations == ("mint-proposal", "create-panosc-item")
    assert delivery.message.visit_id == delivery.description.get("visit")


def test_operations_may_be_called_ops() -> None:
    message = deliver(OPERATIONS, '{"name": "2025", "ops": ["mint-proposal"]}').message
    assert (message.name, message.operations) == ("2025", ("mint-proposal",))
