"""Whatever stands in a field of a message is data to ICAT: it changes what the message is about alone."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pacer_icat.client import IcatClient, Shared
from pacer_icat.datasets.task import DATASETS
from pacer_icat.investigations.task import INVESTIGATIONS
from pacer_icat.users.task import USERS
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.people import investigation_message, user_message
from plugins.pacer_icat.tests.support import dataset_message, deliver_to, options_for

Path = tuple[str | int, ...]
CONSUMERS = {
    "datasets": (DATASETS, dataset_message()),
    "users": (USERS, user_message()),
    "investigations": (INVESTIGATIONS, investigation_message()),
}
BEFORE = {
    "User": "o.name",
    "Investigation": "o.name, o.visitId, o.title",
    "Dataset": "o.name, o.location",
    "Rule": "o.what, o.crudFlags",
    "Grouping": "o.name",
}
"""What a message may add to, and of which none is ever changed or gone by what stands in a field."""
ATTEMPTS = [
    "' OR '1' = '1",
    "'; DELETE FROM User u; --",
    "x' UNION SELECT u.name FROM User u WHERE '1' = '1",
    "\\' OR 1=1 --",
    "%", "_%", ":name", "?1", "${jndi:ldap://127.0.0.1:1/a}",
    "' INCLUDE o.investigation.investigationUsers.user",
    "name:* OR _exists_:secret", "*", "/.*/", "a AND NOT b", "{\"$ne\": null}",
    "<user><name>db/root</name></user>", "]]><!--", "../../../etc/passwd", "%00", "{{7*7}}", "$(id)", "`id`",
]  # fmt: skip


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """Give the places of all texts in a message."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from leaves(one, (*path, key))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from leaves(one, (*path, index))
    elif isinstance(value, str):
        yield path


PLACES = [(name, path) for name, (_, message) in CONSUMERS.items() for path in leaves(message)]


def changed(message: dict[str, Any], path: Path, text: str) -> dict[str, Any]:
    made = copy.deepcopy(message)
    inside: Any = made
    for step in path[:-1]:
        inside = inside[step]
    inside[path[-1]] = text
    return made


@pytest.fixture
def client(icat_server: IcatSandbox) -> Iterator[IcatClient]:
    shared = Shared(options_for(icat_server))
    yield IcatClient(shared)
    shared.close()


def state(client: IcatClient) -> dict[str, set[str]]:
    return {
        entity: {json.dumps(row) for row in client.shared.wire.search(f"SELECT {what} FROM {entity} o")}
        for entity, what in BEFORE.items()
    }


def test_there_are_many_places() -> None:
    assert {name for name, _ in PLACES} == set(CONSUMERS)
    assert len(PLACES) > 30


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(PLACES), text=st.sampled_from(ATTEMPTS) | st.text(min_size=1, max_size=40))
def test_no_text_in_a_field_reaches_anything_else(
    client: IcatClient, place: tuple[str, Path], text: str
) -> None:
    name, path = place
    consumer, message = CONSUMERS[name]
    before = state(client)
    delivery = deliver_to(consumer, changed(message, path, text), client, twice=False)
    # It is done, waits or is dead for a reason in words; no server has stumbled over it.
    assert [one.reason for one in delivery.failures if one.kind == "error"] == []
    after = state(client)
    for entity, rows in before.items():
        if entity == "Investigation" and name == "investigations":
            continue  # a title is what a message may change
        assert rows <= after[entity], (place, text)
    assert before["Rule"] == after["Rule"]
    assert before["Grouping"] == after["Grouping"] or name == "investigations"
    added = sum(len(after[entity] - before[entity]) for entity in ("Dataset", "Investigation"))
    assert added <= 1, (place, text)
    users = after["User"] - before["User"]
    assert len(users) <= (2 if name == "users" else 0), (place, text)
