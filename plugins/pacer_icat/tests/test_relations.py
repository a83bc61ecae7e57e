"""The client's entities: relations that load when read, and writes that change what was changed."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from icat.dump_queries import getAuthQueries, getInvestigationQueries, getStaticQueries
from icat.dumpfile import open_dumpfile
from icat.entity import Entity as PythonIcatEntity
from icat.exception import EntityTypeError

from pacer_icat import IcatClient, IcatFault, QueryError
from pacer_icat.pythonicat.beans import EntityError
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.catalogue import Row, fill


@pytest.fixture
def rows(icat: IcatClient) -> list[Row]:
    found = fill(icat)
    walk(icat, icat.objects("Dataset")[:1])  # for the schema of whatever the tests touch
    return found


def walk(icat: IcatClient, datasets: Any) -> list[Any]:
    """Read what lies around datasets."""
    return [
        (
            one.investigation.facility.name,
            None if one.sample is None else one.sample.type and one.sample.type.name,
            sorted((parameter.type.name, parameter.numericValue) for parameter in one.parameters),
            [(file.name, file.dataset.name) for file in one.datafiles],
        )
        for one in datasets
    ]


def test_relations_load_when_they_are_read_and_once(icat: IcatClient, rows: list[Row]) -> None:
    (dataset,) = icat.search("Dataset", {"id": rows[2].id})
    before = icat.calls
    assert dataset.investigation.name == "20250330096"
    assert icat.calls == before + 1
    assert sorted(parameter.numericValue for parameter in dataset.parameters) == [1.0, 5.0]
    assert sorted(file.name for file in dataset.datafiles) == ["f0", "f1"]
    assert icat.calls == before + 3
    assert (dataset.sample.name, dataset.sample.type) == ("s2", None)
    assert icat.calls == before + 5
    assert (dataset.investigation.id, len(dataset.parameters), dataset.sample.type) == (
        dataset.investigation.id,
        2,
        None,
    )
    assert dataset.datafiles[0].dataset.name == dataset.name  # who owns a member is known
    assert icat.calls == before + 5


def test_what_is_empty_is_asked_for_once_as_well(icat: IcatClient, rows: list[Row]) -> None:
    (dataset,) = icat.search("Dataset", {"id": rows[3].id})
    for _ in range(3):
        assert dataset.sample is None
        assert list(dataset.datafiles) == []
        assert list(dataset.dataCollectionDatasets) == []
    before = icat.calls
    assert (dataset.sample, list(dataset.datafiles)) == (None, [])
    assert icat.calls == before
    (included,) = icat.search("Dataset", {"id": rows[3].id}, includes=["sample", "datafiles"])
    before = icat.calls
    assert (included.sample, list(included.datafiles)) == (None, [])
    assert icat.calls == before


def test_prefetch_asks_as_often_for_forty_as_for_one(icat: IcatClient, rows: list[Row]) -> None:
    paths = ("investigation.facility", "sample.type", "parameters.type", "datafiles")
    plain = list(icat.objects("Dataset"))
    before = icat.calls
    seen = walk(icat, plain)
    assert icat.calls - before > 4 * len(rows)

    fresh = list(icat.objects("Dataset"))
    before = icat.calls
    icat.prefetch(fresh, *paths)
    assert icat.calls == before + 1
    assert walk(icat, fresh) == seen
    assert icat.calls == before + 1
    icat.prefetch(fresh, *paths)
    assert [file.dataset.sample and file.dataset.sample.name for one in fresh for file in one.datafiles] == [
        row.sample for row in rows for _ in row.files
    ]
    assert icat.calls == before + 1

    before = icat.calls
    assert walk(icat, icat.objects("Dataset").include(*paths)) == seen
    assert icat.calls == before + 1


def test_prefetch_goes_on_from_what_is_there(icat: IcatClient, rows: list[Row]) -> None:
    datasets = list(icat.objects("Dataset").include("parameters"))
    before = icat.calls
    assert datasets[2].sample.name == "s2"
    icat.prefetch(datasets, "parameters.type", "sample", "investigation")
    assert icat.calls == before + 3  # the sample of one, the types of all, and the rest of all
    assert {parameter.type.name for one in datasets for parameter in one.parameters} == {
        "query-energy",
        "query-gain",
    }
    assert [one.sample and one.sample.name for one in datasets] == [row.sample for row in rows]
    assert icat.calls == before + 3
    icat.prefetch([], "sample")
    with pytest.raises(QueryError, match="did you mean 'sample'"):
        icat.prefetch(datasets, "smple")
    with pytest.raises(EntityError, match="not in ICAT"):
        icat.prefetch([icat.new("Dataset")], "sample")


def test_the_way_back_may_be_asked_for_as_well(icat: IcatClient, rows: list[Row]) -> None:
    datasets = list(icat.objects("Dataset"))
    icat.prefetch(datasets, "datafiles.dataset.investigation")
    before = icat.calls
    assert {file.dataset.investigation.name for one in datasets for file in one.datafiles} == {
        "20250330096",
        "hg123",
    }
    assert icat.calls == before


def test_only_this_clients_entities_load_relations(icat: IcatClient, rows: list[Row], plain: Any) -> None:
    (ours,) = icat.search("Dataset", {"id": rows[0].id})
    assert ours.sample.name == "s0"
    (bare,) = icat.python_icat.search(f"SELECT o FROM Dataset o WHERE o.id = {rows[0].id}")
    assert (bare.sample, list(bare.datafiles)) == (None, [])  # as python-icat's tools expect
    bare.description = "changed"
    bare.update()
    assert icat.one("Dataset", id=rows[0].id).sample.name == "s0"
    (theirs,) = plain.search(f"SELECT o FROM Dataset o WHERE o.id = {rows[0].id}")
    assert theirs.sample is None
    assert isinstance(ours, PythonIcatEntity)
    assert not hasattr(PythonIcatEntity, "lacks")
    unborn = icat.new("Dataset", name="unborn")
    before = icat.calls
    assert (unborn.sample, list(unborn.datafiles)) == (None, [])
    assert icat.calls == before


def test_entities_are_python_icats_own_in_all_else(icat: IcatClient, rows: list[Row]) -> None:
    dataset = icat.objects("Dataset").filter(id=rows[2].id).include("investigation.facility").one()
    assert dataset.getUniqueKey().startswith("Dataset_investigation-(facility-(name-ALBA)")
    assert dataset.as_dict()["name"] == rows[2].name
    assert dataset == icat.one("Dataset", id=rows[2].id)
    assert len({dataset, icat.one("Dataset", id=rows[2].id)}) == 1
    assert dataset.datafiles[0].name in str(dataset)
    again = dataset.copy()
    again.name = "other"
    assert (dataset.name, again.name, again.investigation.name) == (
        rows[2].name,
        "other",
        dataset.investigation.name,
    )
    lone = icat.one("Dataset", id=rows[2].id).copy()
    assert (lone.id, lone.sample.name, min(file.name for file in lone.datafiles)) == (rows[2].id, "s2", "f0")
    assert dataset.get().sample.name == "s2"
    assert sorted(one.name for one in dataset.datafiles) == ["f0", "f1"]
    assert dataset.get("Dataset INCLUDE Sample").sample.name == "s2"
    lone.sample = None
    lone.truncateRelations(keepInstRel=True)
    assert lone.sample is None
    lone.truncateRelations()
    before = icat.calls
    lone.update()
    assert icat.calls == before
    assert icat.one("Dataset", id=rows[2].id).sample.name == "s2"
    rule = icat.new("Rule", what="User", crudFlags="R")
    rule.group = icat.new("Grouping", name="g")
    assert rule.grouping.name == "g"
    with pytest.raises(AttributeError):
        dataset.nothing  # noqa: B018 - reading it is the test
    with pytest.raises(AttributeError):
        dataset.nothing = 1
    with pytest.raises(AttributeError):
        object.__new__(type(dataset)).client  # noqa: B018 - as above


@pytest.mark.parametrize("kind", ["xml", "yaml"])
def test_python_icats_dumps_are_the_same(icat: IcatClient, plain: Any, tmp_path: Path, kind: str) -> None:
    import_module(f"icat.dumpfile_{kind}")
    investigation = icat.one("Investigation", name="hg123")
    icat.new(
        "Dataset",
        name="dumped",
        complete=True,
        investigation=investigation,
        type=icat.one("DatasetType", name="acquisition"),
        datafiles=[icat.new("Datafile", name=name) for name in "ab"],
    ).create()

    def dump(client: Any) -> list[str]:
        path = tmp_path / kind
        with open_dumpfile(client, str(path), kind.upper(), "w") as file:
            for queries in (getAuthQueries, getStaticQueries, getInvestigationQueries):
                file.writedata(
                    queries(client, investigation.id)
                    if queries is getInvestigationQueries
                    else queries(client)
                )
        lines = path.read_text().splitlines()
        return [line for line in lines if "<date>" not in line and "Date: " not in line]

    dumped = dump(icat.python_icat)
    assert dumped == dump(plain)
    assert any("dumped" in line for line in dumped)


def test_an_update_writes_what_was_changed_and_loses_nothing(
    icat: IcatClient, rows: list[Row], plain: Any
) -> None:
    row = rows[2]
    mine = icat.one("Dataset", id=row.id)
    theirs = icat.one("Dataset", id=row.id)
    theirs.location = "/theirs"
    theirs.update()
    mine.description = "mine"
    mine.endDate = "2025-07-01T12:00:00"
    mine.update()
    (seen,) = plain.search(f"SELECT o FROM Dataset o WHERE o.id = {row.id} INCLUDE 1")
    assert (seen.description, seen.location, seen.name) == ("mine", "/theirs", row.name)
    assert (seen.sample.name, seen.investigation.name, seen.type.name) == ("s2", "20250330096", "acquisition")
    assert seen.endDate.astimezone(UTC) == datetime(2025, 7, 1, 10, tzinfo=UTC)

    mine.sample = None
    del mine.description
    mine.fileSize = 12
    mine.update()
    (seen,) = plain.search(f"SELECT o FROM Dataset o WHERE o.id = {row.id} INCLUDE 1")
    assert (seen.description, seen.sample, seen.fileSize) == (None, None, 12)

    parameter = mine.parameters[0]
    parameter.numericValue = 42
    parameter.update()
    (seen,) = plain.search(f"SELECT o.numericValue FROM DatasetParameter o WHERE o.id = {parameter.id}")
    assert seen == 42.0

    before = icat.calls
    mine.update()
    assert icat.calls == before


def test_an_update_of_what_is_gone_says_so(icat: IcatClient, rows: list[Row]) -> None:
    mine, other = icat.one("Dataset", id=rows[0].id), icat.one("Dataset", id=rows[0].id)
    other.delete()
    mine.name = "new"
    for ask in (mine.update, mine.get):
        with pytest.raises(IcatFault) as caught:
            ask()
        assert caught.value.type == "NO_SUCH_OBJECT_FOUND"
    with pytest.raises(IcatFault, match="NO_SUCH_OBJECT_FOUND"):
        mine.sample  # noqa: B018 - reading it asks
    assert list(mine.datafiles) == []
    icat.prefetch([mine], "investigation")
    with pytest.raises(EntityError, match="create it first"):
        icat.new("Dataset", name="x").update()


def test_a_create_stores_the_whole_tree_in_one_call(
    icat: IcatClient, icat_server: IcatSandbox, rows: list[Row]
) -> None:
    investigation = icat.one("Investigation", name="hg123")
    (energy,) = icat.search("ParameterType", {"name": "query-energy"}, includes=["facility"])
    (gain,) = icat.search("ParameterType", {"name": "query-gain"})
    bare = icat.new("ParameterType", id=gain.id)
    dataset = icat.new(
        "Dataset",
        name="tree",
        complete=False,
        investigation=investigation,
        type=icat.one("DatasetType", name="acquisition"),
        startDate=datetime(2025, 7, 1, 12),  # noqa: DTZ001 - by the facility's clock
        datafiles=[icat.new("Datafile", name=f"f{place}", fileSize=place) for place in range(3)],
        parameters=[
            icat.new("DatasetParameter", type=energy, numericValue=1),
            icat.new("DatasetParameter", type=bare, numericValue=2.5),
        ],
    )
    before = icat_server.misbehave.calls["create"]
    dataset.create()
    assert icat_server.misbehave.calls["create"] == before + 1
    seen = icat.one("Dataset", name="tree")
    assert seen.id == dataset.id
    assert seen.startDate.astimezone(UTC) == datetime(2025, 7, 1, 10, tzinfo=UTC)
    files = sorted((file.name, file.fileSize) for file in seen.datafiles)
    assert files == [("f0", 0), ("f1", 1), ("f2", 2)]
    assert sorted((one.type.name, one.numericValue) for one in seen.parameters) == [
        ("query-energy", 1.0),
        ("query-gain", 2.5),
    ]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"fileSize": "big"}, "Dataset.fileSize takes a whole number"),
        ({"startDate": "someday"}, "Dataset.startDate takes a time"),
        ({"name": "x" * 256}, "Dataset.name takes at most 255 characters"),
        ({"description": "\x07"}, "control characters"),
        ({"complete": "maybe"}, "Dataset.complete takes True or False"),
    ],
)
def test_values_are_checked_before_they_are_sent(
    icat: IcatClient, values: dict[str, Any], words: str
) -> None:
    dataset = icat.new("Dataset", **{"name": "x", "complete": True, **values})
    before = icat.calls
    with pytest.raises(EntityError, match=words):
        dataset.create()
    with pytest.raises(EntityError, match="not in ICAT cannot be referred to as 'sample'"):
        icat.new("Dataset", name="x", sample=icat.new("Sample", name="s")).create()
    assert icat.calls == before


def test_what_icat_would_call_internal_is_named_before(icat: IcatClient, rows: list[Row]) -> None:
    def create(**more: Any) -> None:
        icat.new("Dataset", **{**given, **more}).create()

    given = {
        "name": "x",
        "complete": True,
        "type": icat.one("DatasetType", name="acquisition"),
        "investigation": icat.one("Investigation", name="hg123"),
    }
    energy = icat.one("ParameterType", name="query-energy")
    files = [icat.new("Datafile", name=name) for name in ("é.h5", "f", "E.H5 ")]
    parameters = [icat.new("DatasetParameter", type=energy, numericValue=one) for one in (1, 2)]
    with pytest.raises(
        EntityError, match=r"two of Dataset\.datafiles are one to ICAT, which compares their name"
    ):
        create(datafiles=files)
    with pytest.raises(EntityError, match=r"two of Dataset\.parameters are one.*their type"):
        create(parameters=parameters)
    with pytest.raises(EntityError, match="a Datafile lacks what ICAT needs: name"):
        create(datafiles=[icat.new("Datafile", location="/x")])
    with pytest.raises(EntityError, match="a Dataset lacks what ICAT needs: investigation, type"):
        create(investigation=None, type=None)
    create(datafiles=files[:2], parameters=parameters[:1])
    assert len(icat.one("Dataset", name="x").datafiles) == 2


def test_many_are_created_and_deleted_at_once(icat: IcatClient, plain: Any) -> None:
    made = [icat.new("Technique", name=f"t{place}") for place in range(3)]
    ids = icat.python_icat.createMany(made)
    assert icat.search("Technique", attributes="id") == ids
    icat.python_icat.deleteMany(icat.search("Technique"))
    assert plain.search("SELECT COUNT(t) FROM Technique t") == [0]


def test_a_new_object_of_what_icat_does_not_know_is_refused(icat: IcatClient) -> None:
    with pytest.raises(EntityTypeError):
        icat.new("Datset")
    with pytest.raises(EntityTypeError):
        icat.new("Parameter")
    assert icat.python_icat.new(None) is None
