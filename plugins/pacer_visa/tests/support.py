"""What the tests of pacer-visa share: messages, consumers with VISA's tasks alone, and a message's way."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from pacer_core import ConsumerType, Delivery
from pacer_core.testing import deliver
from pacer_icat import Investigation, User
from pacer_visa import VISA, Visa
from pacer_visa.proposals import sync_visa_proposal
from pacer_visa.users import sync_visa_user

USERS = ConsumerType(name="users", message=User, tasks=[sync_visa_user])
INVESTIGATIONS = ConsumerType(name="investigations", message=Investigation, tasks=[sync_visa_proposal])

PROPOSAL, EXPERIMENT = 20250330096, "20250330096/bl06"


def user(**changes: Any) -> dict[str, Any]:
    """Give a message about a person; ``None`` leaves a field out."""
    message = {
        "id": 7,
        "first_name": "Ada",
        "last_name": "Lovelace",
        "email": "ada@example.org",
        "enabled": True,
        "user_list": [{"username": "Ada"}, {"username": "ada2"}],
        "affiliation": {"id": 3, "name": "Analytical Engines", "city": "London", "country_code": "GB"},
        "is_staff": False,
        **changes,
    }
    return {name: value for name, value in message.items() if value is not None}


def investigation(**changes: Any) -> dict[str, Any]:
    """Give a message about a visit of which Ada is a member; ``None`` leaves a field out."""
    message = {
        "name": "20250330096",
        "start_date": "2025-07-14T08:00:00+02:00",
        "end_date": "2025-07-17T08:00:00+02:00",
        "title": "Diffraction of reference samples",
        "summary": "Thumbnails before the long run.",
        "type": "MX",
        "instrument": {"name": "BL06 - XAIRA", "code": "bl06"},
        "icat_visit_id": "bl06",
        "visa_visit_id": PROPOSAL,
        "visa_sync": True,
        "user_list": [member("ada", "ada@example.org"), member("ada2", "ada@example.org", "Participant")],
        **changes,
    }
    return {name: value for name, value in message.items() if value is not None}


def member(username: str, email: str, role: str = "Principal investigator") -> dict[str, str]:
    """Give one member of a visit."""
    return {"username": username, "email": email, "role": role}


def send(
    visa: Visa,
    consumer: ConsumerType,
    message: dict[str, Any],
    *,
    twice: bool = True,
    options: Any = None,
    stamp: datetime | int | None = None,
) -> Delivery:
    """Send a message through a consumer, with VISA as its only integration."""
    return deliver(
        consumer,
        json.dumps(message),
        integrations={VISA: visa},
        twice=twice,
        task_options={} if options is None else {consumer.tasks[0].name: options},
        properties={} if stamp is None else {"timestamp": stamp},
    )
