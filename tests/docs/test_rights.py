"""The rights that the pages about consumer types list are enough, and none of them is too many."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from pacer_core import Outcome
from pacer_icat import IcatClient
from pacer_icat.client import Shared
from pacer_icat.datasets.task import DATASETS
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.crashing import state
from plugins.pacer_icat.tests.people import (
    INVESTIGATION_STATE,
    USER_STATE,
    accounts,
    investigation_message,
    members,
    user_message,
)
from plugins.pacer_icat.tests.support import dataset_message, deliver_to, options_for
from tests.docs.pages import ROOT
from tests.docs.test_consumers import CONSUMERS

PI, LOCAL = "Principal investigator", "Local contact"
LETTERS = {"create": "C", "read": "R", "update": "U", "delete": "D"}
MESSAGES: dict[str, list[Any]] = {
    "users": [user_message(), user_message(last_name="Lovelace", user_list=accounts("ada", "ada3"))],
    "investigations": [
        investigation_message(),
        investigation_message(
            title="Another title",
            instrument={"name": "BL13 - XALOC", "code": "bl13"},
            user_list=members(PI, "db/jdoe") + members(LOCAL, "db/nbour"),
            visit_count=2,
            sample_acronyms=[],
            parameters=[{"name": "temperature", "value": 4, "units": "K"}],
        ),
    ],
    "investigation-operations": [
        {"name": "20250340039", "operations": ["mint-proposal", "create-panosc-item"]},
    ],
    "reingest": [{"investigation": "20250330096"}, {"investigation": "20250340039"}],
}
RIGHTS = {
    name: [
        (entity, right)
        for entity, rights in re.findall(
            r"^\| `(\w+)` \| ([\w, ]+) \|$",
            (ROOT / "docs" / "reference" / "consumers" / f"{name}.md")
            .read_text()
            .partition("\n## Rights\n")[2]
            .partition("\n## ")[0],
            re.MULTILINE,
        )
        for right in rights.split(", ")
    ]
    for name in MESSAGES
}


@pytest.fixture
def root(icat_server: IcatSandbox) -> Iterator[IcatClient]:
    """Our client with an account that may do everything."""
    shared = Shared(options_for(icat_server))
    yield IcatClient(shared)
    shared.close()


@pytest.fixture
def effects(
    icat_server: IcatSandbox, icat_client: Any, root: IcatClient
) -> Callable[[str, list[tuple[str, str]] | None], Any]:
    """Give what a consumer's messages come to with some rights, or with all."""

    def effects(name: str, rights: list[tuple[str, str]] | None) -> Any:
        icat_server.reset()
        root.shared.catalogue.forget()
        icat_client.login("simple", {"username": "root", "password": "secret"})
        _prepare(icat_client, root)
        if rights is not None:
            _allow(icat_client, rights)
        shared = Shared(options_for(icat_server, username="root" if rights is None else "useroffice"))
        told = [
            deliver_to(CONSUMERS[name], message, IcatClient(shared), twice=False)
            for message in MESSAGES[name]
        ]
        shared.close()
        # What is missing is said in words, not found out by stumbling.
        assert "error" not in {failure.kind for delivery in told for failure in delivery.failures}
        sent = [json.loads(one.body) for delivery in told for one in delivery.follow_ups]
        outcomes = [delivery.outcome for delivery in told]
        return outcomes, state(icat_client, USER_STATE | INVESTIGATION_STATE), sent

    return effects


def _prepare(client: Any, root: IcatClient) -> None:
    """Give two investigations a dataset each, one of them an instrument, the other all for publishing."""
    units = [{"name": "temperature", "value": 4, "units": "K"}]
    deliver_to(DATASETS, dataset_message(parameters=units), root)
    deliver_to(
        DATASETS,
        dataset_message(
            investigation="20250340039",
            start_date="2025-09-01T10:00:00+02:00",
            end_date="2025-09-01T11:00:00+02:00",
        ),
        root,
    )
    client.deleteMany(client.search("SELECT l FROM DatasetInstrument l"))
    (dataset,) = client.search("SELECT d FROM Dataset d WHERE d.investigation.name = '20250330096'")
    (instrument,) = client.search("SELECT i FROM Instrument i WHERE i.name = 'bl13'")
    client.new("DatasetInstrument", dataset=dataset, instrument=instrument).create()
    (visit,) = client.search(
        "SELECT i FROM Investigation i WHERE i.name = '20250340039' INCLUDE i.facility, i.type"
    )
    visit.releaseDate = datetime(2026, 1, 1, tzinfo=UTC)
    visit.update()


def _allow(client: Any, rights: list[tuple[str, str]]) -> None:
    """Leave one account these rights, and no account any others."""
    client.deleteMany(client.search("SELECT r FROM Rule r"))
    group = client.new("Grouping", name="pacer")
    group.create()
    (user,) = client.search("SELECT u FROM User u WHERE u.name = 'simple/useroffice'")
    client.new("UserGroup", grouping=group, user=user).create()
    for entity in {entity for entity, _ in rights}:
        flags = "".join(LETTERS[right] for one, right in rights if one == entity)
        client.new("Rule", grouping=group, what=entity, crudFlags=flags).create()


@pytest.mark.parametrize("name", MESSAGES)
def test_the_rights_that_a_page_lists_are_enough_and_not_too_many(name: str, effects: Any) -> None:
    expected = effects(name, None)
    assert set(expected[0]) == {Outcome.ACKED}
    assert RIGHTS[name]
    assert effects(name, RIGHTS[name]) == expected
    superfluous = [
        right
        for right in RIGHTS[name]
        if effects(name, [one for one in RIGHTS[name] if one != right]) == expected
    ]
    assert superfluous == []
