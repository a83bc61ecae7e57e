"""People, proposals and datasets through a broker: eight threads, one investigation, one order."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.people import (
    PARTICIPANT,
    PI,
    accounts,
    investigation_message,
    members,
    parameters,
    read,
    roles,
    user_message,
)
from plugins.pacer_icat.tests.support import MESSAGES, configure, dataset_message
from tests.support import Site

PROPOSAL = "20250330096"
Send = Callable[..., None]


@pytest.fixture
def file(site: Site, icat_server: IcatSandbox, tmp_path: Path) -> Path:
    """The configuration of a facility with all three consumers."""
    return configure(site, icat_server, tmp_path, "users", "investigations", "datasets")


@pytest.fixture
def send(site: Site, file: Path) -> Send:
    """Send messages to a consumer, in their order."""
    sent = 0

    def send(consumer: str, *messages: dict[str, Any] | Path) -> None:
        nonlocal sent
        files = []
        for message in messages:
            sent += 1
            text = message.read_text() if isinstance(message, Path) else json.dumps(message)
            files.append(site.write(text, f"{sent}.json"))
        done = site.pacer("send", "-c", file, "-n", consumer, *files)
        assert done.code == 0, done.both

    return send


def test_the_messages_of_a_facility_come_in_one_after_another(
    site: Site, file: Path, send: Send, plain: Any
) -> None:
    send("users", MESSAGES / "user.json")
    assert site.pacer("run", "--once", "-c", file).out == "1 done, 0 dead, 0 waiting for a retry\n"
    send("investigations", MESSAGES / "investigation.json")
    send("datasets", MESSAGES / "dataset-alba.json")
    assert site.pacer("run", "--once", "-c", file).out == "2 done, 0 dead, 0 waiting for a retry\n"
    visit = read(plain, PROPOSAL)
    assert roles(visit) == [("ada", PI), ("ada2", PARTICIPANT)]
    assert parameters(visit)["reimbursedParcels"] == 1.0
    assert plain.search("SELECT d.investigation.name FROM Dataset d") == [PROPOSAL]


@pytest.mark.parametrize("deadlocks", [0, 5])
def test_eight_threads_on_one_investigation_lose_no_update(
    site: Site, file: Path, send: Send, icat_server: IcatSandbox, plain: Any, deadlocks: int
) -> None:
    people = ["db/jdoe", "db/acord", "db/nbour", "db/rbeck"]
    updates = [
        investigation_message(
            name=PROPOSAL,
            title=f"title {n}",
            visit_count=n,
            sample_acronyms=[f"s{n}"],
            user_list=members(PI, people[n % 4]) + members(PARTICIPANT, people[(n + 1) % 4]),
        )
        for n in range(12)
    ]
    datasets = [
        dataset_message(name=f"run{n}", location=f"/data/run{n}", sample={"name": f"sample {n % 3}"})
        for n in range(12)
    ]
    if deadlocks:
        icat_server.misbehave.deadlock(every=deadlocks)
    send("investigations", *updates, *updates)
    send("datasets", *datasets, *datasets)
    ran = site.pacer("run", "--once", "-c", file)
    assert (ran.code, ran.out) == (0, "48 done, 0 dead, 0 waiting for a retry\n")
    visit = read(plain, PROPOSAL)
    assert visit.title == "title 11"
    assert roles(visit) == [("db/jdoe", PARTICIPANT), ("db/rbeck", PI)]
    assert parameters(visit) == {"reimbursedParcels": 11.0, "sampleAcronyms": "s11"}
    assert sorted(plain.search("SELECT d.name FROM Dataset d")) == sorted(f"run{n}" for n in range(12))
    assert sorted(plain.search("SELECT s.name FROM Sample s")) == [f"sample {n}" for n in range(3)]


def test_what_is_said_last_about_somebody_counts(
    site: Site, file: Path, send: Send, icat_server: IcatSandbox, plain: Any
) -> None:
    said = [
        user_message(
            id=person, first_name=f"Ada {n}", enabled=n % 2 == 0, user_list=accounts(f"ada-{person}")
        )
        for n in range(10)
        for person in range(1, 5)
    ]
    send("users", *said)
    ran = site.pacer("run", "--once", "-c", file)
    assert (ran.code, ran.out) == (0, "40 done, 0 dead, 0 waiting for a retry\n")
    found = plain.search("SELECT u.name, u.givenName FROM User u WHERE u.name LIKE 'ada%'")
    assert sorted(map(tuple, found)) == [(f"ada-{n}__user_disabled", "Ada 9") for n in range(1, 5)]
