"""``with icat.rollback() as rb:``: what a block has written is taken back, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pacer_icat import IcatAway, IcatClient
from pacer_icat.client import Shared
from pacer_icat.rollback import Rollback, RollbackError
from pacer_icat.schema import META
from pacer_icat.soap import Record
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.catalogue import Row, fill
from plugins.pacer_icat.tests.support import options_for

ENTITIES = (
    "Investigation", "InvestigationInstrument", "Sample", "SampleType", "Dataset", "Datafile",
    "DatasetParameter", "DatafileParameter", "DatasetInstrument", "ParameterType", "Technique",
    "DatasetTechnique",
)  # fmt: skip


@contextmanager
def failing(icat: IcatClient) -> Iterator[Rollback]:
    """Give a block that fails at its end; its exception tells what was not restored."""
    told: list[str] = []
    try:
        with icat.rollback() as rb:
            yield rb
            earlier = len(rb.unrestored)
            raise ArithmeticError
    except ArithmeticError as error:
        told = getattr(error, "__notes__", [])
    assert told == [f"not restored: {one}" for one in rb.unrestored[earlier:]]


@pytest.fixture
def rows(icat: IcatClient) -> list[Row]:
    return fill(icat, 6)


@pytest.fixture
def others(icat_server: IcatSandbox) -> Iterator[IcatClient]:
    """Somebody else, who writes at the same time."""
    shared = Shared(options_for(icat_server))
    yield IcatClient(shared)
    shared.close()


def snapshot(icat: IcatClient, *, ids: bool = False) -> list[tuple[Any, ...]]:
    """Give all that is in ICAT; objects go by their unique keys, or by their ids."""
    wire = icat.shared.wire
    found: dict[tuple[str, int], Record] = {}
    for name in ENTITIES:
        for record in wire.search(f"SELECT o FROM {name} o INCLUDE 1"):
            found[name, record.id] = record

    def key(entity: str, number: int) -> Any:
        record = found.get((entity, number))
        if ids or record is None:
            return entity, number
        return (entity, *(plain(record[name]) for name in wire.schema.entity(entity).key))

    def plain(value: Any) -> Any:
        return key(value.entity, value.id) if isinstance(value, Record) else value

    return sorted(
        (
            (
                str(key(*one)),
                tuple(
                    (field.name, plain(record[field.name]))
                    for field in wire.schema.entity(one[0]).fields
                    if field.relation != "MANY" and field.name not in META
                ),
            )
            for one, record in found.items()
        ),
        key=str,
    )


def created_dataset(icat: IcatClient) -> Any:
    """Create a dataset with two files, in one call."""
    dataset = icat.new(
        "Dataset",
        name="new",
        complete=True,
        investigation=icat.one("Investigation", name="hg123"),
        type=icat.one("DatasetType", name="acquisition"),
        datafiles=[icat.new("Datafile", name=name) for name in "ab"],
    )
    dataset.create()
    return dataset


def test_an_exception_restores_what_was_there(icat: IcatClient, rows: list[Row]) -> None:
    before = snapshot(icat, ids=True)
    dataset = icat.one("Dataset", id=rows[2].id)
    with failing(icat) as rb:
        dataset.description = "changed"
        dataset.sample = None
        dataset.update()
        dataset.description = "twice"
        dataset.update()
        file = icat.new("Datafile", name="new", dataset=dataset)
        file.create()
        sample = icat.new("Sample", name="new", investigation=dataset.investigation)
        sample.create()
        dataset.sample = sample
        dataset.update()
        assert snapshot(icat, ids=True) != before
    assert snapshot(icat, ids=True) == before
    assert rb.unrestored == ()
    assert (file.id, sample.id) == (None, None)


def test_a_block_that_ends_well_keeps_what_it_wrote(icat: IcatClient, rows: list[Row]) -> None:
    with icat.rollback() as rb:
        icat.new("Technique", name="kept").create()
    assert icat.search("Technique", attributes="name") == ["kept"]
    with pytest.raises(RollbackError, match="not open"):
        rb.rollback()
    icat.new("Technique", name="outside").create()
    assert rb.unrestored == ()


def test_what_was_deleted_comes_back_with_all_below_it_under_new_ids(
    icat: IcatClient, rows: list[Row]
) -> None:
    before = snapshot(icat)
    investigation = icat.one("Investigation", name="hg123")
    old = investigation.id
    with failing(icat) as rb:
        investigation.delete()
        assert icat.objects("Dataset").filter(investigation=old).count() == 0
    assert snapshot(icat) == before
    (report,) = rb.unrestored
    assert (report.entity, report.id) == ("Investigation", investigation.id)
    assert f"has a new id (it was {old}), createId and createTime, as have the" in report.what
    assert icat.one("Investigation", name="hg123").id == investigation.id != old


def test_counts_of_files_come_back_as_they_were(icat: IcatClient, rows: list[Row]) -> None:
    dataset = icat.one("Dataset", id=rows[2].id)
    dataset.fileCount, dataset.fileSize = 2, 77
    dataset.update()
    with failing(icat):
        dataset.delete()
    (back,) = icat.search("Dataset", {"name": rows[2].name})
    assert (back.fileCount, back.fileSize, len(back.datafiles)) == (2, 77, 2)


def test_savepoints_divide_a_block(icat: IcatClient, rows: list[Row]) -> None:
    def names() -> list[str]:
        return icat.search("Technique", attributes="name")  # type: ignore[no-any-return]  # names

    with icat.rollback() as rb:
        icat.new("Technique", name="a").create()
        first = rb.savepoint()
        icat.new("Technique", name="b").create()
        second = rb.savepoint()
        icat.new("Technique", name="c").create()
        assert rb.rollback(to=second) == ()
        assert names() == ["a", "b"]
        icat.new("Technique", name="d").create()
        rb.rollback(to=second)
        assert rb.rollback(to=first) == ()
        assert names() == ["a"]
        with pytest.raises(RollbackError, match="went back past it"):
            rb.rollback(to=second)
        icat.new("Technique", name="e").create()
        rb.rollback()
        assert names() == []
        icat.new("Technique", name="f").create()
    assert names() == ["f"]


def test_going_back_to_a_savepoint_follows_what_was_deleted_and_restored(
    icat: IcatClient, rows: list[Row]
) -> None:
    before = snapshot(icat)
    dataset = icat.one("Dataset", id=rows[2].id)
    with icat.rollback() as rb:
        dataset.description = "changed"
        dataset.update()
        savepoint = rb.savepoint()
        for _ in range(2):
            dataset.delete()
            rb.rollback(to=savepoint)
            assert icat.one("Dataset", id=dataset.id).description == "changed"
            assert sorted(file.name for file in icat.one("Dataset", id=dataset.id).datafiles) == ["f0", "f1"]
        assert len(rb.unrestored) == 2
        assert rb.rollback() == ()
    assert snapshot(icat) == before


def test_what_was_created_and_deleted_in_a_block_need_not_come_back(
    icat: IcatClient, rows: list[Row]
) -> None:
    before = snapshot(icat, ids=True)
    with failing(icat) as rb:
        dataset = created_dataset(icat)
        dataset.name = "newer"
        dataset.update()
        icat.one("Dataset", id=dataset.id).delete()
    assert rb.unrestored == ()
    assert snapshot(icat, ids=True) == before


def test_a_tree_created_in_one_call_goes_as_one(icat: IcatClient, rows: list[Row]) -> None:
    before = snapshot(icat, ids=True)
    (energy,) = icat.search("ParameterType", {"name": "query-energy"})
    energy.applicableToDatafile = True
    energy.update()
    with_flag = snapshot(icat, ids=True)
    assert with_flag != before
    with failing(icat) as rb:
        files = [
            icat.new(
                "Datafile",
                name=name,
                parameters=[icat.new("DatafileParameter", type=energy, numericValue=place)],
            )
            for place, name in enumerate("abc")
        ]
        icat.new(
            "Dataset",
            name="new",
            complete=True,
            investigation=icat.one("Investigation", name="hg123"),
            type=icat.one("DatasetType", name="acquisition"),
            datafiles=files,
        ).create()
    assert rb.unrestored == ()
    assert snapshot(icat, ids=True) == with_flag


def test_what_others_have_put_below_is_not_deleted(
    icat: IcatClient, others: IcatClient, rows: list[Row]
) -> None:
    with failing(icat) as rb:
        technique = icat.new("Technique", name="used")
        technique.create()
        unused = icat.new("Technique", name="unused")
        unused.create()
        theirs = others.new(
            "DatasetTechnique",
            technique=others.one("Technique", name="used"),
            dataset=others.one("Dataset", id=rows[0].id),
        )
        theirs.create()
    assert icat.search("Technique", attributes="name") == ["used"]
    (report,) = rb.unrestored
    assert (report.entity, report.id) == ("Technique", technique.id)
    assert report.what == f"is still there: this block did not create DatasetTechnique {theirs.id} below it"
    assert icat.one("DatasetTechnique").technique.name == "used"


def test_what_others_have_put_far_below_keeps_the_tree(
    icat: IcatClient, others: IcatClient, rows: list[Row]
) -> None:
    with failing(icat) as rb:
        dataset = created_dataset(icat)
        icat.new("Datafile", name="later", dataset=dataset).create()
        file = others.one("Datafile", name="a")
        for name in ("f0", "f1"):
            there = others.one("Datafile", name=name, dataset=rows[2].id)
            others.new("RelatedDatafile", relation="x", sourceDatafile=file, destDatafile=there).create()
    (report,) = rb.unrestored
    first, _ = icat.search("RelatedDatafile", attributes="id")
    assert str(report) == (
        f"Dataset {dataset.id}: is still there, and 2 that were created below it: "
        f"this block did not create RelatedDatafile {first} and 1 more below it"
    )
    assert sorted(file.name for file in icat.one("Dataset", name="new").datafiles) == ["a", "b"]


def test_what_others_have_changed_since_is_left_alone(
    icat: IcatClient, others: IcatClient, rows: list[Row]
) -> None:
    dataset = icat.one("Dataset", id=rows[0].id)
    with failing(icat) as rb:
        dataset.description = "mine"
        dataset.location = "/mine"
        dataset.update()
        gone = icat.one("Dataset", id=rows[1].id)
        gone.description = "mine"
        gone.update()
        theirs = others.one("Dataset", id=rows[0].id)
        theirs.description = "theirs"
        theirs.doi = "10.1/x"
        theirs.update()
        others.one("Dataset", id=rows[1].id).delete()
    seen = icat.one("Dataset", id=rows[0].id)
    assert (seen.description, seen.location, seen.doi) == ("theirs", None, "10.1/x")
    assert [str(one) for one in rb.unrestored] == [
        f"Dataset {rows[1].id}: description not set back: it is gone from ICAT",
        f"Dataset {rows[0].id}: description not set back: somebody else has changed it since",
    ]


def test_a_refused_write_leaves_nothing_to_take_back(icat: IcatClient, rows: list[Row]) -> None:
    before = snapshot(icat, ids=True)
    with icat.rollback() as rb:
        icat.new("Technique", name="t").create()
        savepoint = rb.savepoint()
        for _ in range(2):
            with pytest.raises(Exception, match="OBJECT_ALREADY_EXISTS"):
                icat.new("Technique", name="T").create()
        assert rb.rollback(to=savepoint) == ()
        assert rb.rollback() == ()
    assert snapshot(icat, ids=True) == before


def test_an_answer_that_was_lost_is_told(icat: IcatClient, icat_server: IcatSandbox, rows: list[Row]) -> None:
    dataset = icat.one("Dataset", id=rows[0].id)
    before = snapshot(icat)
    icat_server.misbehave.fail("lost-answer", at=1, operation="create")
    with failing(icat) as rb, pytest.raises(IcatAway):
        icat.new("Technique", name="lost").create()
    (report,) = rb.unrestored
    assert str(report) == "Technique: may have been created: ICAT's answer was lost; look for it by its key"
    icat.one("Technique").delete()

    def change() -> None:
        dataset.description = "changed"
        dataset.update()

    cases: list[tuple[Literal["lost-answer", "lost-request"], str, Callable[[], None]]] = [
        ("lost-answer", "update", change),
        ("lost-request", "update", change),
        ("lost-request", "deleteMany", dataset.delete),
        ("lost-answer", "deleteMany", dataset.delete),
    ]
    for how, operation, write in cases:
        icat_server.misbehave.clear()
        icat_server.misbehave.fail(how, at=1, operation=operation)
        with failing(icat) as rb, pytest.raises(IcatAway):
            write()
        assert snapshot(icat) == before
    assert len(rb.unrestored) == 1


def test_an_icat_that_goes_away_leaves_a_list_of_what_is_left(
    icat: IcatClient, icat_server: IcatSandbox, rows: list[Row]
) -> None:
    dataset = icat.one("Dataset", id=rows[0].id)
    with failing(icat) as rb:
        dataset.description = "x"
        dataset.update()
        technique = icat.new("Technique", name="t")
        technique.create()
        icat.one("Dataset", id=rows[1].id).delete()
        icat_server.misbehave.away()
    icat_server.misbehave.away(False)
    told = [str(one).partition(": ICAT does not")[0] for one in rb.unrestored]
    assert told == [
        f"Dataset {rows[1].id}: is not there again, nor what was below it",
        f"Technique {technique.id}: is still there",
        f"Dataset {rows[0].id}: description not set back",
    ]


def test_what_cannot_be_created_again_is_told_with_what_refers_to_it(
    icat: IcatClient, others: IcatClient, rows: list[Row]
) -> None:
    dataset = icat.one("Dataset", id=rows[2].id)
    with failing(icat) as rb:
        dataset.delete()
        others.new(
            "Dataset",
            name=rows[2].name,
            complete=False,
            investigation=others.one("Investigation", name="20250330096"),
            type=others.one("DatasetType", name="acquisition"),
        ).create()
    told = [str(one) for one in rb.unrestored]
    assert f"Dataset {rows[2].id}: could not be created again" in told[0]
    assert sorted(one.partition(" ")[0] for one in told[1:]) == ["Datafile"] * 2 + ["DatasetParameter"] * 2
    assert all(one.endswith(f"it refers to Dataset {rows[2].id}, which is not") for one in told[1:])
    assert "Alpha" not in "".join(told)


def test_blocks_do_not_nest_and_savepoints_stay_in_their_block(icat: IcatClient) -> None:
    with icat.rollback() as rb:
        savepoint = rb.savepoint()
        with pytest.raises(RollbackError, match="use a savepoint"), icat.rollback():
            pass
    with icat.rollback() as other, pytest.raises(RollbackError, match="not of this block"):
        other.rollback(to=savepoint)
    with pytest.raises(RollbackError, match="not open"):
        rb.savepoint()


def test_many_are_taken_back_in_few_calls(icat: IcatClient, rows: list[Row]) -> None:
    with failing(icat):
        for place in range(60):
            icat.new("Technique", name=f"t{place}").create()
        before = icat.calls
    assert icat.calls - before <= 3
    assert not icat.objects("Technique").exists()


def test_deadlocks_change_nothing_but_the_time(
    icat: IcatClient, icat_server: IcatSandbox, rows: list[Row]
) -> None:
    before = snapshot(icat)
    icat_server.misbehave.deadlock(every=2)
    with failing(icat) as rb:
        icat.python_icat.createMany([icat.new("Technique", name=name) for name in "abc"])
        dataset = icat.one("Dataset", id=rows[1].id)
        dataset.name = "new"
        dataset.update()
        icat.python_icat.deleteMany([icat.one("Dataset", id=row.id) for row in rows[:3]])
        assert icat.objects("Technique").count() == 3
    icat_server.misbehave.clear()
    assert snapshot(icat) == before
    assert [one.entity for one in rb.unrestored] == ["Dataset"] * 3


@pytest.mark.parametrize("at", range(1, 7))
def test_whatever_write_fails_on_the_way_back_is_told(
    icat: IcatClient, icat_server: IcatSandbox, rows: list[Row], at: int
) -> None:
    before = snapshot(icat)
    with failing(icat) as rb:
        dataset = icat.one("Dataset", id=rows[0].id)
        dataset.description = "changed"
        dataset.update()
        icat.new("Technique", name="new").create()
        icat.one("Dataset", id=rows[2].id).delete()
        icat.one("Datafile", name="f0", dataset=rows[1].id).delete()
        icat_server.misbehave.fail("internal", at=at, operation="writes")
    icat_server.misbehave.clear()
    lost = {str(one) for one in before} - {str(one) for one in snapshot(icat)}
    untold = [one for one in rb.unrestored if "has a new id" not in one.what]
    if at == 1:  # the datafile, which is all there was of it
        assert [one.entity for one in untold] == ["Datafile"]
    assert bool(lost) == any(one.entity != "Technique" for one in untold)
    assert icat.objects("Technique").exists() == any(one.entity == "Technique" for one in untold)


# --- against snapshots ------------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["create", "create-tree", "file", "update", "move", "delete", "delete-file", "sample"]
        ),
        st.integers(0, 30),
    ),
    max_size=6,
)


def step(icat: IcatClient, what: str, number: int) -> None:
    """Do one of many things, to whatever is there."""
    datasets = list(icat.objects("Dataset").order_by("id"))
    dataset = datasets[number % len(datasets)] if datasets else None
    if what.startswith("create"):
        made = icat.new(
            "Dataset",
            name=f"new{number}",
            complete=False,
            investigation=icat.objects("Investigation").order_by("name")[number % 4],
            type=icat.one("DatasetType", name="acquisition"),
        )
        if what == "create-tree":
            made.datafiles = [icat.new("Datafile", name=f"g{place}") for place in range(number % 4)]
        if not icat.objects("Dataset").filter(name=made.name, investigation=made.investigation).exists():
            made.create()
    elif what == "sample":
        investigation = icat.objects("Investigation").order_by("name")[number % 4]
        if not icat.objects("Sample").filter(name=f"n{number}", investigation=investigation).exists():
            icat.new("Sample", name=f"n{number}", investigation=investigation).create()
    elif dataset is None:
        return
    elif what == "file":
        if not icat.objects("Datafile").filter(dataset=dataset, name=f"h{number}").exists():
            icat.new("Datafile", name=f"h{number}", dataset=dataset).create()
    elif what == "update":
        dataset.description = f"d{number}"
        dataset.startDate = f"2025-05-{number % 28 + 1:02}T00:00:00Z"
        dataset.update()
    elif what == "move":
        samples = [None, *icat.objects("Sample").order_by("id")]
        dataset.sample = samples[number % len(samples)]
        dataset.update()
    elif what == "delete":
        dataset.delete()
    elif file := icat.objects("Datafile").order_by("id").first():
        file.delete()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=STEPS, second=STEPS, third=STEPS)
def test_whatever_a_block_does_the_catalogue_is_as_it_was_after_going_back(
    icat: IcatClient,
    rows: list[Row],
    first: list[tuple[str, int]],
    second: list[tuple[str, int]],
    third: list[tuple[str, int]],
) -> None:
    start = snapshot(icat)
    with failing(icat) as rb:
        for one in first:
            step(icat, *one)
        middle, savepoint = snapshot(icat), rb.savepoint()
        for one in second:
            step(icat, *one)
        rb.rollback(to=savepoint)
        assert snapshot(icat) == middle
        for one in third:
            step(icat, *one)
    assert snapshot(icat) == start
    assert all("has a new id" in one.what for one in rb.unrestored)
    deletes = [what for what, _ in (*first, *second, *third) if what.startswith("delete")]
    assert deletes or not rb.unrestored
