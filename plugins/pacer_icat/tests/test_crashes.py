"""A crash at every single call to ICAT, and many writers at once: the same end as without."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from pacer_core import Outcome, Secret
from pacer_icat import IcatClient
from pacer_icat.client import Shared
from pacer_icat.datasets.options import DatasetsOptions
from pacer_icat.datasets.task import DATASETS
from pacer_icat.schema import Entity
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.crashing import (
    FAULTS,
    crash_at_any_call,
    eight_writers,
    fault_at_any_call,
    process,
    state,
    undisturbed,
)
from plugins.pacer_icat.tests.support import DATASET_STATE, dataset_message, deliver_to, options_for
from tests.bombs import Crash

RUN = "/data/visit/run1"


def processed(index: int) -> dict[str, Any]:
    """Give the n-th processing of the same data."""
    return dataset_message(
        location=f"/data/processed/{index}",
        start_date=f"2025-07-15T1{index}:00:00+02:00",
        parameters=[
            {"name": "input_datasets", "value": "/data/raw"},
            {"name": "Process_sequence_index", "value": index},
            {"name": "scanType", "value": f"processing {index}"},
            {"name": "exposure_time", "value": index},
        ],
        datafiles=[{"location": f"/data/processed/{index}/out.h5"}],
    )


LARGE = dataset_message(datafiles=[{"location": f"{RUN}/{n:02}.h5", "size": n} for n in range(25)])
MORE = dataset_message(
    parameters=[{"name": "scanType", "value": "line"}, {"name": "temperature", "value": 4}],
    datafiles=[{"location": f"{RUN}/{name}.h5"} for name in "abcd"],
)


SCENARIOS = [
    pytest.param([], dataset_message(), id="new"),
    pytest.param([], LARGE, id="large"),
    pytest.param([dataset_message()], MORE, id="completed"),
    pytest.param([dataset_message(location="/elsewhere")], dataset_message(), id="suffixed"),
    pytest.param([processed(1)], processed(2), id="reprocessed"),
]


@pytest.fixture
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ten files be as many as one call takes."""
    monkeypatch.setattr("pacer_icat.datasets.files.BATCH", 10)


@pytest.mark.usefixtures("_small_batches")
@pytest.mark.parametrize("after", [False, True], ids=["before-icat", "after-icat"])
@pytest.mark.parametrize(("earlier", "message"), SCENARIOS)
def test_a_crash_at_any_call_is_mended_by_the_next_delivery(
    icat_server: IcatSandbox,
    icat: IcatClient,
    entities: list[Entity],
    earlier: list[Any],
    message: Any,
    after: bool,
) -> None:
    for one in earlier:
        undisturbed(icat_server, entities, DATASETS, one)
    crash_at_any_call(
        icat_server, entities, DATASETS, message, lambda: state(icat.shared.wire, DATASET_STATE), after=after
    )


@pytest.mark.usefixtures("_small_batches", "_impatient")
@pytest.mark.parametrize("how", FAULTS)
@pytest.mark.parametrize(("earlier", "message"), SCENARIOS)
def test_a_fault_at_any_call_changes_nothing_in_the_end(
    icat_server: IcatSandbox,
    icat: IcatClient,
    entities: list[Entity],
    earlier: list[Any],
    message: Any,
    how: str,
) -> None:
    for one in earlier:
        undisturbed(icat_server, entities, DATASETS, one)
    fault_at_any_call(
        icat_server, entities, DATASETS, message, lambda: state(icat.shared.wire, DATASET_STATE), how=how
    )


@pytest.mark.usefixtures("_small_batches")
@pytest.mark.parametrize("earlier", [[], [MORE]], ids=["new", "completed"])
def test_counts_that_pacer_keeps_are_right_after_a_crash_at_any_call(
    icat_server: IcatSandbox, icat: IcatClient, entities: list[Entity], earlier: list[Any]
) -> None:
    for one in earlier:
        undisturbed(icat_server, entities, DATASETS, one, file_counts="pacer")

    def look() -> list[Any]:
        return icat.shared.wire.search("SELECT d.complete, d.fileCount, d.fileSize FROM Dataset d")

    crash_at_any_call(icat_server, entities, DATASETS, LARGE, look, after=True, file_counts="pacer")
    assert look() == [(True, 25 + 4 * len(earlier), sum(range(25)))]


@pytest.mark.usefixtures("_small_batches")
def test_a_dataset_is_visibly_incomplete_until_its_last_file_is_there(
    icat_server: IcatSandbox, plain: Any, entities: list[Entity]
) -> None:
    shared = process(icat_server, entities)
    deliver_to(DATASETS, LARGE, IcatClient(shared), twice=False)
    for at in range(1, shared.wire.calls + 1):
        icat_server.reset()
        with pytest.raises(Crash):
            deliver_to(DATASETS, LARGE, IcatClient(process(icat_server, entities, at, after=True)))
        files = plain.search("SELECT COUNT(f) FROM Datafile f")
        if files != [25]:
            assert True not in plain.search("SELECT d.complete FROM Dataset d")


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("deadlocks", [0, 5])
def test_eight_writers_in_one_investigation_leave_everything_once(
    icat_server: IcatSandbox, plain: Any, deadlocks: int
) -> None:
    messages = [
        dataset_message(
            name=f"run{n}",
            location=f"/data/run{n}",
            sample={"name": f"sample {n % 3}"},
            datafiles=[{"location": f"/data/run{n}/{name}"} for name in "abc"],
        )
        for n in range(8)
    ]
    if deadlocks:
        icat_server.misbehave.deadlock(every=deadlocks)
    outcomes = eight_writers(icat_server, [(DATASETS, one) for one in messages])
    assert outcomes == [Outcome.ACKED] * 64
    assert sorted(plain.search("SELECT d.name FROM Dataset d")) == [f"run{n}" for n in range(8)]
    assert sorted(plain.search("SELECT s.name FROM Sample s")) == [f"sample {n}" for n in range(3)]
    assert plain.search("SELECT COUNT(f) FROM Datafile f") == [24]


@pytest.fixture
def short_of_patience(icat_server: IcatSandbox) -> Iterator[Shared]:
    """What a process shares whose calls may take half a second."""
    shared = Shared(options_for(icat_server, timeout=timedelta(seconds=0.5)))
    yield shared
    shared.close()


def test_an_icat_that_is_away_makes_the_message_wait(icat: IcatClient, icat_server: IcatSandbox) -> None:
    icat_server.misbehave.away()
    delivery = deliver_to(DATASETS, dataset_message(), icat)
    assert delivery.outcome is Outcome.RETRIED
    assert [failure.kind for failure in delivery.failures] == ["retry"]
    icat_server.misbehave.away(False)
    assert deliver_to(DATASETS, dataset_message(), icat).outcome is Outcome.ACKED


def test_an_icat_that_is_stopped_and_started_again_is_found_again(
    icat: IcatClient, icat_server: IcatSandbox
) -> None:
    deliver_to(DATASETS, dataset_message(), icat)
    address = icat_server.url.partition("//")[2]
    icat_server.stop()
    try:
        delivery = deliver_to(DATASETS, dataset_message(name="run2"), icat)
        assert [failure.kind for failure in delivery.failures] == ["retry"]
        assert f"ICAT does not answer at {address}: NewConnectionError: Failed" in (delivery.error or "")
    finally:
        icat_server.start()
    icat_server.expire_sessions()
    assert deliver_to(DATASETS, dataset_message(name="run2"), icat).outcome is Outcome.ACKED


def test_an_answer_that_takes_too_long_makes_the_message_wait(
    short_of_patience: Shared, icat_server: IcatSandbox, plain: Any
) -> None:
    icat_server.misbehave.slow(2.0, "create", "Dataset")
    delivery = deliver_to(DATASETS, dataset_message(), IcatClient(short_of_patience), twice=False)
    assert [failure.kind for failure in delivery.failures] == ["retry"]
    icat_server.misbehave.clear()
    again = deliver_to(DATASETS, dataset_message(), IcatClient(short_of_patience))
    assert again.outcome is Outcome.ACKED
    assert plain.search("SELECT COUNT(d) FROM Dataset d") == [1]


def test_sessions_that_end_at_any_time_change_nothing(icat: IcatClient, icat_server: IcatSandbox) -> None:
    for number in range(3):
        icat_server.expire_sessions()
        delivery = deliver_to(DATASETS, dataset_message(name=f"run{number}"), icat)
        assert delivery.outcome is Outcome.ACKED


def test_what_was_looked_up_and_is_gone_is_looked_up_again(icat: IcatClient, plain: Any) -> None:
    deliver_to(DATASETS, dataset_message(), icat)
    (sample,) = plain.search("SELECT s FROM Sample s")
    plain.delete(sample)  # and the dataset with it
    assert deliver_to(DATASETS, dataset_message(name="run2"), icat).outcome is Outcome.ACKED
    assert plain.search("SELECT d.name FROM Dataset d") == ["run2"]


@pytest.mark.parametrize(
    ("entity", "name"),
    [
        ("DatasetType", "acquisition"),
        ("SampleType", "SAMPLE"),
        ("ParameterType", "scanType"),
        ("Investigation", "20250330096"),
        ("Instrument", "bl06"),
    ],
)
def test_what_was_replaced_in_icat_is_looked_up_again(
    icat: IcatClient, plain: Any, entity: str, name: str
) -> None:
    deliver_to(DATASETS, dataset_message(), icat)
    query = f"SELECT o FROM {entity} o WHERE o.name = '{name}' INCLUDE 1"
    (old,) = plain.search(query)
    instruments = plain.search(
        "SELECT l.investigation.id, l.instrument.id FROM InvestigationInstrument l "
        f"WHERE l.{entity.lower()}.id = {old.id}"
        if entity in ("Investigation", "Instrument")
        else "SELECT l.investigation.id, l.instrument.id FROM InvestigationInstrument l WHERE l.id = 0"
    )
    plain.delete(old)
    values = {one: getattr(old, one) for one in old.InstAttr - {"id"} if getattr(old, one) is not None}
    if entity == "ParameterType":
        values["units"] = ""  # which python-icat reads as nothing at all
    new = plain.new(entity, **values, **{one: getattr(old, one) for one in old.InstRel if getattr(old, one)})
    new.create()
    for investigation, instrument in instruments:
        ids = {"Investigation": investigation, "Instrument": instrument, entity: new.id}
        plain.new(
            "InvestigationInstrument",
            investigation=plain.new("Investigation", id=ids["Investigation"]),
            instrument=plain.new("Instrument", id=ids["Instrument"]),
        ).create()
    done = deliver_to(DATASETS, dataset_message(name="run2", location="/data/run2"), icat)
    assert done.outcome is Outcome.ACKED, done.error
    stored = plain.search("SELECT d FROM Dataset d WHERE d.name = 'run2' INCLUDE d.parameters, d.sample")
    assert [len(one.parameters) for one in stored] == [1]


def test_a_fault_that_nobody_understands_is_tried_again(icat: IcatClient, icat_server: IcatSandbox) -> None:
    deliver_to(DATASETS, dataset_message(), icat)
    icat_server.misbehave.fail("internal", every=1, operation="create", entity="Dataset")
    delivery = deliver_to(DATASETS, dataset_message(name="run2"), icat, options=DatasetsOptions())
    assert delivery.outcome is Outcome.RETRIED
    assert [one.kind for one in delivery.failures] == ["retry"]
    assert "ICAT refused create: INTERNAL" in (delivery.error or "")


def test_an_account_without_rights_makes_the_message_wait(icat_server: IcatSandbox) -> None:
    shared = Shared(options_for(icat_server, username="reader"))
    delivery = deliver_to(DATASETS, dataset_message(), IcatClient(shared))
    shared.close()
    assert delivery.outcome is Outcome.RETRIED
    assert "rights" in (delivery.error or "")


def test_a_wrong_password_makes_the_message_wait_and_is_not_shown(icat_server: IcatSandbox) -> None:
    shared = Shared(options_for(icat_server, password=Secret("open sesame")))
    delivery = deliver_to(DATASETS, dataset_message(), IcatClient(shared))
    assert delivery.outcome is Outcome.RETRIED
    assert "refuses the account simple/root" in (delivery.error or "")
    assert "sesame" not in repr(delivery)
