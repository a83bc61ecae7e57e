"""python-icat, unmodified, does its daily work."""

from datetime import UTC, datetime
from importlib.resources import as_file, files
from typing import Any

import icat
import icat.dumpfile_xml  # registers the format
import pytest
from icat.dumpfile import open_dumpfile
from icat.query import Query

from pacer_sandbox import IcatSandbox


def investigation(client: Any) -> Any:
    return client.assertedSearch(
        "SELECT i FROM Investigation i WHERE i.name = '20250330096' INCLUDE i.facility"
    )[0]


def dataset(client: Any, name: str) -> Any:
    kind = client.assertedSearch("SELECT t FROM DatasetType t WHERE t.name = 'raw'")[0]
    return client.new("Dataset", name=name, investigation=investigation(client), type=kind, complete=False)


def test_a_client_logs_in_and_knows_who_it_is(icat_client: Any) -> None:
    assert icat_client.getUserName() == "simple/root"
    assert str(icat_client.apiversion) == "6.2.0"
    assert 119 < icat_client.getRemainingMinutes() <= 120


def test_a_dataset_with_files_and_parameters_is_created_in_one_call_and_read_back(icat_client: Any) -> None:
    scan = icat_client.assertedSearch("SELECT t FROM ParameterType t WHERE t.name = 'scanType'")[0]
    new = dataset(icat_client, "nested")
    new.startDate = datetime(2025, 7, 15, 15, 53, 33, tzinfo=UTC)
    for number in range(3):
        new.datafiles.append(icat_client.new("Datafile", name=f"f{number}", fileSize=number))
    new.parameters.append(icat_client.new("DatasetParameter", type=scan, stringValue="grid"))

    new.create()

    found = icat_client.search(
        Query(
            icat_client,
            "Dataset",
            conditions={"name": "= 'nested'"},
            includes={"datafiles", "parameters.type"},
        )
    )[0]
    assert found.id == new.id
    assert found.startDate == new.startDate
    assert sorted((f.name, f.fileSize) for f in found.datafiles) == [("f0", 0), ("f1", 1), ("f2", 2)]
    assert [(p.type.name, p.stringValue) for p in found.parameters] == [("scanType", "grid")]
    assert found.createId == "simple/root"


def test_an_update_overwrites_what_is_sent_and_nulls_what_is_not(icat_client: Any) -> None:
    found = icat_client.get("Investigation INCLUDE 1", investigation(icat_client).id)
    found.title = "Changed"
    found.endDate = None

    found.update()

    again = icat_client.get("Investigation INCLUDE 1", found.id)
    assert again.title == "Changed"
    assert again.endDate is None
    assert again.startDate == found.startDate


def test_a_deleted_investigation_takes_its_datasets_along(icat_client: Any) -> None:
    new = dataset(icat_client, "gone")
    new.datafiles.append(icat_client.new("Datafile", name="f"))
    new.create()

    icat_client.delete(investigation(icat_client))

    assert icat_client.search("SELECT COUNT(d) FROM Dataset d") == [0]
    assert icat_client.search("SELECT COUNT(f) FROM Datafile f") == [0]
    with pytest.raises(icat.ICATNoObjectError, match="not found"):
        icat_client.get("Dataset", new.id)


def test_nested_objects_get_their_ids_in_no_order_to_rely_on(icat_client: Any) -> None:
    new = dataset(icat_client, "nested")
    for name in ("a", "b", "c"):
        new.datafiles.append(icat_client.new("Datafile", name=name))
    new.create()
    names = icat_client.search("SELECT f.name FROM Datafile f ORDER BY f.id")
    assert sorted(names) == ["a", "b", "c"] != names


def test_the_demo_facility_can_be_loaded_as_any_dump_is() -> None:
    demo = files("pacer_sandbox").joinpath("demo.xml")
    with IcatSandbox() as empty, as_file(demo) as path:
        client = icat.Client(empty.wsdl)
        client.login("simple", {"username": "root", "password": "secret"})
        with open_dumpfile(client, str(path), "XML", "r") as dump:
            for one in dump.getobjs():
                one.create()
        assert client.search("SELECT COUNT(t) FROM ParameterType t WHERE t.units = ''") == [37]
        client.logout()


def test_the_same_name_in_other_letters_exists_already(icat_client: Any) -> None:
    dataset(icat_client, "Scan é").create()

    with pytest.raises(icat.ICATObjectExistsError, match="Dataset exists with investigation"):
        dataset(icat_client, "sCAN E ").create()


def test_a_missing_or_too_long_value_is_refused(icat_client: Any) -> None:
    with pytest.raises(icat.ICATValidationError, match="name cannot be null"):
        icat_client.create(dataset(icat_client, None))  # type: ignore[arg-type]  # what the test is about
    with pytest.raises(icat.ICATValidationError, match="name cannot have length > 255"):
        dataset(icat_client, "x" * 256).create()


def test_create_many_is_all_or_nothing_and_names_the_bean_to_blame(icat_client: Any) -> None:
    with pytest.raises(icat.ICATObjectExistsError) as caught:
        icat_client.createMany([dataset(icat_client, name) for name in ("a", "b", "a")])

    assert caught.value.offset == 2
    assert icat_client.search("SELECT COUNT(d) FROM Dataset d") == [0]


def test_a_user_without_rights_sees_nothing_and_may_do_nothing(icat_client: Any) -> None:
    key = investigation(icat_client).id
    icat_client.login("db", {"username": "ahau", "password": "secret"})

    assert icat_client.search("SELECT i FROM Investigation i") == []
    assert icat_client.search("SELECT COUNT(i) FROM Investigation i") == [0]
    with pytest.raises(icat.ICATPrivilegesError):
        icat_client.get("Investigation", key)


def test_a_wrong_password_is_refused(icat_client: Any) -> None:
    with pytest.raises(icat.ICATSessionError, match="do not match"):
        icat_client.login("simple", {"username": "root", "password": "guess"})
