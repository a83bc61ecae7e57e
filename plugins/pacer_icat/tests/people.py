"""Messages about people and proposals, and what ICAT holds of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pacer_core import Delivery
from pacer_icat import IcatClient
from pacer_icat.investigations.options import InvestigationsOptions
from pacer_icat.investigations.task import INVESTIGATIONS
from pacer_icat.users.task import USERS
from plugins.pacer_icat.tests.support import deliver_to, example

Sync = Callable[..., Delivery]

INVESTIGATION_STATE = {
    "Investigation": (
        "o.name, o.visitId, o.title, o.summary, o.startDate, o.endDate, o.releaseDate, o.type.name, o.doi"
    ),
    "InvestigationUser": "o.investigation.name, o.investigation.visitId, o.user.name, o.role",
    "InvestigationInstrument": "o.investigation.name, o.investigation.visitId, o.instrument.name",
    "InvestigationParameter": "o.investigation.name, o.type.name, o.numericValue, o.stringValue",
}
USER_STATE = {"User": "o.name, o.fullName, o.givenName, o.familyName, o.email, o.orcidId, o.affiliation"}


def user_message(**changes: Any) -> dict[str, Any]:
    """Give a message about Ada; ``None`` leaves a field out."""
    message = example("user.json") | changes
    return {name: value for name, value in message.items() if value is not None}


def accounts(*names: str) -> list[dict[str, str]]:
    """Give a ``user_list``."""
    return [{"username": name} for name in names]


NAME = "20250900001"
PI, LOCAL, PARTICIPANT = "Principal investigator", "Local contact", "Participant"


def investigation_message(**changes: Any) -> dict[str, Any]:
    """Give a message about a new visit with members whom the demo facility knows."""
    message = {
        **example("investigation.json"),
        "name": NAME,
        "user_list": members(PI, "db/jdoe") + members(PARTICIPANT, "DB/Acord"),
        **changes,
    }
    return {name: value for name, value in message.items() if value is not None}


def members(role: str, *names: str) -> list[dict[str, str]]:
    """Give members of one role."""
    return [{"username": name, "email": f"{name}@example.org", "role": role} for name in names]


def deliver_investigation(message: Any, icat: IcatClient, *, twice: bool = True, **options: Any) -> Delivery:
    """Send a message through the consumer type."""
    return deliver_to(INVESTIGATIONS, message, icat, options=InvestigationsOptions(**options), twice=twice)


def read(plain: Any, name: str = NAME) -> Any:
    """Give the only visit of a proposal with all that belongs to it."""
    (one,) = plain.search(
        f"SELECT o FROM Investigation o WHERE o.name = '{name}' INCLUDE o.facility, o.type, "
        "o.investigationInstruments AS link, link.instrument, o.investigationUsers AS person, person.user, "
        "o.parameters AS p, p.type"
    )
    return one


def roles(investigation: Any) -> list[tuple[str, str]]:
    """Give names and roles of the members."""
    return sorted((one.user.name, one.role) for one in investigation.investigationUsers)


def instruments(investigation: Any) -> list[str]:
    """Give the names of the instruments."""
    return [one.instrument.name for one in investigation.investigationInstruments]


def parameters(investigation: Any) -> dict[str, Any]:
    """Give the parameters as a dictionary."""
    return {
        one.type.name: one.numericValue if one.stringValue is None else one.stringValue
        for one in investigation.parameters
    }


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
"""Consumer type, what it may write, what came before, and a message; each writes something."""
