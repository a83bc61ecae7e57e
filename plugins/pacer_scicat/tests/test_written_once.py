"""Written once: answers lost, workers killed, eight at once; one dataset and one block of files each time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pacer_core import Delivery, Outcome
from pacer_scicat import Scicat
from pacer_scicat.files.options import PidOptions
from pacer_scicat.testing import Accounts, ScicatStandIn, User
from plugins.pacer_scicat.tests.support import PID, Facility, client_of
from tests.at_length import long

POLICIES = ("given", "generated", "server")


def until_done(facility: Facility, file: Path, **more: Any) -> Delivery:
    """Send a message, and its copies, until one is no retry."""
    delivery = facility.send(file, twice=False, **more)
    for _ in range(8):
        if delivery.outcome is not Outcome.RETRIED:
            break
        more.pop("after", None)
        delivery = facility.send(file, twice=False, after=delivery, **more)
    return delivery


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("path", ["/datasets", "/origdatablocks"])
@pytest.mark.parametrize("how", ["lost-answer", "lost-request", "cut", "html", "status"])
def test_whatever_is_lost_there_is_one_of_each(facility: Facility, policy: Any, path: str, how: Any) -> None:
    options = facility.options(pid=PidOptions(policy))
    facility.scicat.misbehaviour.fail(how, method="POST", path=path)
    file = facility.file()
    delivery = facility.send(file, twice=False, options=options)
    assert delivery.outcome is Outcome.RETRIED
    assert until_done(facility, file, options=options, after=delivery).outcome is Outcome.ACKED
    assert facility.is_whole()


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("path", ["/datasets", "/origdatablocks"])
def test_a_message_that_was_killed_on_its_way_is_made_whole(
    facility: Facility, policy: Any, path: str
) -> None:
    """A killed worker leaves no facts behind: the message comes again as it came first."""
    options = facility.options(pid=PidOptions(policy))
    facility.scicat.misbehaviour.fail("lost-answer", method="POST", path=path)
    file = facility.file()
    facility.send(file, twice=False, options=options)
    assert until_done(facility, file, options=options).outcome is Outcome.ACKED
    assert facility.is_whole()


def test_a_dataset_without_its_files_gets_them(facility: Facility) -> None:
    """Upstream takes a dataset that is there for one that is whole, for ever."""
    facility.scicat.misbehaviour.fail("status", method="POST", path="/origdatablocks", status=500)
    file = facility.file()
    assert facility.send(file, twice=False).outcome is Outcome.RETRIED
    assert facility.scicat.store.blocks == {}
    assert facility.send(file).outcome is Outcome.ACKED
    assert facility.is_whole()


def test_a_dataset_that_has_just_been_created_by_somebody_is_left_to_them(facility: Facility) -> None:
    """Its block may be on its way: a request that nobody waits for any more is carried out all the same."""
    facility.scicat.misbehaviour.fail("lost-request", method="POST", path="/origdatablocks")
    file, patient = facility.file(), facility.options(patience=timedelta(minutes=1))
    facility.send(file, twice=False)
    delivery = facility.send(file, twice=False, options=patient)
    assert delivery.outcome is Outcome.RETRIED
    assert "just been created" in str(delivery.error)
    assert 0 < (delivery.delay or 0) <= 60
    assert delivery.envelope.retries == 0
    assert facility.scicat.store.blocks == {}


def test_a_block_that_comes_after_its_client_has_gone_is_not_sent_twice(facility: Facility) -> None:
    file = facility.file()
    options = facility.options(patience=timedelta(seconds=30))
    with client_of(facility.scicat.url, timeout=timedelta(seconds=0.3)) as hasty:
        impatient = Facility(facility.root, facility.scicat, hasty)
        facility.scicat.misbehaviour.fail("late", method="POST", path="/origdatablocks", seconds=0.8)
        delivery = impatient.send(file, twice=False, options=options)
    assert delivery.outcome is Outcome.RETRIED
    assert delivery.delay is not None
    assert delivery.delay >= 1
    deadline = time.monotonic() + 30
    while not facility.scicat.store.blocks and time.monotonic() < deadline:
        facility.send(file, twice=False, options=options)
        time.sleep(0.05)
    assert facility.send(file, twice=False, options=options).outcome is Outcome.ACKED
    assert facility.is_whole()


@pytest.mark.parametrize("policy", POLICIES)
def test_eight_workers_on_one_file_leave_one_of_each(facility: Facility, policy: Any) -> None:
    file, options = facility.file(), facility.options(pid=PidOptions(policy))
    facility.scicat.misbehaviour.delay = 0.01
    outcomes: list[Outcome] = []

    def work() -> None:
        deadline = time.monotonic() + 60
        delivery = facility.send(file, twice=False, options=options)
        while delivery.outcome is Outcome.RETRIED and time.monotonic() < deadline:
            time.sleep(0.01)
            delivery = facility.send(file, twice=False, options=options)
        outcomes.append(delivery.outcome)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [Outcome.ACKED] * 8
    assert facility.is_whole()


def _work(root: Path, url: str, file: Path, policy: Any) -> None:
    with client_of(url) as client:
        facility = Facility(root, None, client)  # type: ignore[arg-type]  # the stand-in is the parent's
        facility.send(file, twice=False, options=facility.options(pid=PidOptions(policy)))


@pytest.mark.parametrize("policy", ["given", pytest.param("generated", marks=long), "server"])
def test_a_worker_that_is_killed_at_any_moment_leaves_one_of_each(facility: Facility, policy: Any) -> None:
    file, options = facility.file(), facility.options(pid=PidOptions(policy))
    facility.scicat.misbehaviour.delay = 0.05
    context = multiprocessing.get_context("spawn")
    moments = ["auth", "datasets", "origdatablocks"]
    for moment in moments:
        facility.scicat.misbehaviour.asked.clear()
        worker = context.Process(target=_work, args=(facility.root, facility.scicat.url, file, policy))
        worker.start()
        while worker.is_alive() and not _asked(facility, moment):
            time.sleep(0.005)
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
    assert until_done(facility, file, options=options).outcome is Outcome.ACKED
    assert facility.is_whole()


def _asked(facility: Facility, part: str) -> bool:
    return any(part in one for one in list(facility.scicat.misbehaviour.asked))


# --- what the account may, and may not ---


def test_a_dataset_that_cannot_be_read_back_is_for_a_person(scicat: ScicatStandIn, tmp_path: Path) -> None:
    with client_of(scicat.url, ingestor_group="") as blind:
        facility = Facility(tmp_path, scicat, blind)
        facility.data.mkdir()
        facility.schema()
        file = facility.file()
        assert facility.send(file, twice=False).outcome is Outcome.ACKED
        delivery = facility.send(file, twice=False)
    assert delivery.outcome is Outcome.DEAD
    assert "add the account's group to its accessGroups" in str(delivery.error)
    assert facility.is_whole()


def test_an_owner_group_that_the_account_may_not_use_is_for_a_person(tmp_path: Path) -> None:
    accounts = Accounts([User("datasetIngestor", ("datasetingestor",), "own with pid")])
    with ScicatStandIn(accounts=accounts) as scicat, client_of(scicat.url) as client:
        facility = Facility(tmp_path, scicat, client)
        facility.data.mkdir()
        facility.schema()
        delivery = facility.send(facility.file())
    assert delivery.outcome is Outcome.DEAD
    assert "Unauthorized to create this dataset" in str(delivery.error)


def test_a_database_that_is_away_is_no_word_about_the_account(facility: Facility) -> None:
    facility.client.account()
    facility.scicat.misbehaviour.away = "database"
    delivery = facility.send(facility.file(), twice=False)
    assert delivery.outcome is Outcome.RETRIED
    facility.scicat.misbehaviour.away = "no"
    assert until_done(facility, facility.file(), after=delivery).outcome is Outcome.ACKED
    assert facility.is_whole()


def test_a_500_from_a_backend_that_is_well_is_counted(facility: Facility) -> None:
    """So that a body that a backend can never take is dead in the end, and holds up no other."""
    facility.scicat.misbehaviour.fail("status", method="POST", path="/datasets", status=500, at=0)
    delivery = facility.send(facility.file(), twice=False)
    assert delivery.outcome is Outcome.RETRIED
    assert "by a backend that is well" in str(delivery.error)


def test_a_500_about_a_dataset_that_is_whole_adds_no_second_block(facility: Facility) -> None:
    file = facility.file()
    assert facility.send(file, twice=False).outcome is Outcome.ACKED
    facility.scicat.misbehaviour.fail("status", method="POST", path="/datasets", status=500)
    assert until_done(facility, file).outcome is Outcome.ACKED
    assert facility.is_whole()


def test_a_dataset_that_somebody_has_deleted_meanwhile_is_created_again(facility: Facility) -> None:
    file = facility.file()
    facility.scicat.misbehaviour.fail("status", method="POST", path="/origdatablocks", status=500)
    delivery = facility.send(file, twice=False)
    assert delivery.outcome is Outcome.RETRIED
    facility.scicat.store.datasets.clear()
    assert until_done(facility, file, after=delivery).outcome is Outcome.ACKED
    assert facility.is_whole()


def test_files_of_blocks_that_came_before_the_right_to_read_are_not_added_again(
    scicat: ScicatStandIn, tmp_path: Path
) -> None:
    """A block keeps the groups that its dataset had; so a list leaves it out, and it is there."""
    with client_of(scicat.url, ingestor_group="") as blind:
        facility = Facility(tmp_path, scicat, blind)
        facility.data.mkdir()
        facility.schema()
        file = facility.file()
        assert facility.send(file, twice=False).outcome is Outcome.ACKED
        facility.dataset["accessGroups"] = ["datasetingestor"]
        assert facility.send(file, twice=False).outcome is Outcome.ACKED
    assert facility.is_whole()


def test_the_sums_are_right_when_files_come_in_two_blocks(
    facility: Facility, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pacer_scicat.files.options import Sidecars

    monkeypatch.setattr("pacer_scicat.writing.BLOCK", 1)
    options = facility.options(sidecars=Sidecars(hash=True))
    facility.scicat.misbehaviour.fail("lost-answer", method="POST", path="/origdatablocks", at=2)
    file = facility.file()
    delivery = facility.send(file, twice=False, options=options)
    assert until_done(facility, file, options=options, after=delivery).outcome is Outcome.ACKED
    assert len(facility.scicat.store.blocks) == 2
    assert facility.dataset["numberOfFiles"] == 2
    assert facility.dataset["size"] == sum(one["size"] for one in facility.files)


def test_a_pid_in_the_way_of_urls_is_found_again(facility: Facility, client: Scicat) -> None:
    pid = "20.500.12269/sp ace é %41 ?x#y"
    fields = {**_fields(), "pid": pid}
    assert client.create_dataset(fields) == pid
    assert client.create_dataset(fields) is None
    assert client.held(pid).state == "seen"
    assert client.held(PID).state == "absent"


def _fields() -> dict[str, Any]:
    return {
        "type": "raw", "owner": "Ann", "contactEmail": "a@b.org", "ownerGroup": "datasetingestor",
        "sourceFolder": "/data", "creationTime": "2026-01-01T00:00:00Z", "principalInvestigator": "Ann",
        "creationLocation": "here",
    }  # fmt: skip
