"""What REST does when it writes: children, partial changes, touched parents, and whom it blames."""

from typing import Any

import pytest


def write(wire: Any, session: str, entities: Any) -> Any:
    return wire.rest("POST", "entityManager", sessionId=session, entities=entities)


def one(wire: Any, session: str, query: str) -> int:
    (found,) = wire.values(session, query)
    return int(found)


@pytest.fixture
def investigation(wire: Any, root: str) -> dict[str, int]:
    return {"id": one(wire, root, "SELECT i.id FROM Investigation i WHERE i.name = 'mx-123'")}


@pytest.fixture
def raw(wire: Any, root: str) -> dict[str, int]:
    return {"id": one(wire, root, "SELECT t.id FROM DatasetType t WHERE t.name = 'raw'")}


def test_what_a_write_refers_to_is_touched(wire: Any, root: str, investigation: Any, raw: Any) -> None:
    ingester = wire.login("ingest")

    status, _ = write(wire, ingester, {"Dataset": {"investigation": investigation, "name": "d", "type": raw}})

    assert status == 200
    assert wire.values(root, f"SELECT i.modId FROM Investigation i WHERE i.id = {investigation['id']}") == [
        "simple/ingest"
    ]
    assert wire.values(
        root, f"SELECT i.createId FROM Investigation i WHERE i.id = {investigation['id']}"
    ) == ["simple/root"]


def test_a_partial_change_leaves_the_rest_alone(wire: Any, root: str, investigation: Any) -> None:
    status, ids = write(wire, root, {"Investigation": investigation | {"title": "new", "endDate": None}})

    assert (status, ids) == (200, [])
    _, found = wire.rest(
        "GET", "entityManager", sessionId=root, query="Investigation", id=str(investigation["id"])
    )
    assert found["Investigation"]["title"] == "new"
    assert found["Investigation"]["visitId"] == "id30a-3"
    assert "endDate" not in found["Investigation"]


def test_children_are_added_to_what_is_there(wire: Any, root: str, investigation: Any, raw: Any) -> None:
    samples = [
        {"name": "a"},
        {"name": "b", "datasets": [{"investigation": investigation, "name": "d", "type": raw}]},
    ]

    status, ids = write(wire, root, {"Investigation": investigation | {"samples": samples}})

    assert (status, ids) == (200, [])
    assert wire.values(root, "SELECT s.name FROM Sample s ORDER BY s.name") == ["a", "b"]
    assert wire.values(root, "SELECT d.sample.name FROM Dataset d") == ["b"]


def test_nothing_is_written_when_one_of_many_fails(wire: Any, root: str) -> None:
    status, told = write(
        wire, root, [{"User": {"name": "a"}}, {"User": {"name": "b"}}, {"User": {"name": "a"}}]
    )

    assert (status, told["code"], told["offset"]) == (412, "OBJECT_ALREADY_EXISTS", 2)
    assert wire.values(root, "SELECT u.name FROM User u WHERE u.name IN ('a', 'b')") == []


@pytest.mark.parametrize(
    ("files", "code", "message"),
    [
        ([{}], "VALIDATION", "Datafile: name cannot be null."),
        ([{"name": "x" * 256}], "VALIDATION", "Datafile: name cannot have length > 255"),
        (
            [{"name": "f"}, {"name": "f"}],
            "OBJECT_ALREADY_EXISTS",
            " exists with ",
        ),  # the investigation, of all
    ],
)
def test_a_bad_child_is_diagnosed_but_the_innocent_may_be_blamed(
    wire: Any, root: str, investigation: Any, raw: Any, files: Any, code: str, message: str
) -> None:
    entity = {"Dataset": {"investigation": investigation, "name": "d", "type": raw, "datafiles": files}}

    status, told = write(wire, root, entity)

    assert (status, told["code"], told["offset"]) == (412, code, 0)
    assert message in told["message"]
    assert wire.values(root, "SELECT COUNT(d) FROM Dataset d") == ["0"]


@pytest.mark.parametrize(
    ("entity", "status", "code"),
    [
        ({"Facility": {"name": 5}}, 500, "INTERNAL"),
        ({"Facility": {"name": "F", "daysUntilRelease": True}}, 500, "INTERNAL"),
        ({"Facility": {"name": "F", "daysUntilRelease": 2**31}}, 500, "INTERNAL"),
        ({"Facility": {"name": "F", "createId": "me"}}, 500, "INTERNAL"),
        ({"Facility": {"name": "F", "instruments": {"name": "one"}}}, 500, "INTERNAL"),
        ({"Facility": {"name": "F", "instruments": [{"id": 1}]}}, 400, "BAD_PARAMETER"),
        ({"Instrument": {"name": "I", "facility": {"name": "ALBA"}}}, 400, "BAD_PARAMETER"),
        ({"Instrument": {"name": "I", "facility": 1}}, 400, "BAD_PARAMETER"),
        ({"Instrument": {"name": "I", "facility": {"id": -1}}}, 404, "NO_SUCH_OBJECT_FOUND"),
        ({"Facility": {"id": "1"}}, 400, "BAD_PARAMETER"),
        ({"Facility": [1]}, 400, "BAD_PARAMETER"),
        ({"Facility": {"name": "F"}, "User": {"name": "u"}}, 400, "BAD_PARAMETER"),
        ({"ParameterType": {"id": 1, "enforced": None}}, 404, "NO_SUCH_OBJECT_FOUND"),
        ("[1", 400, "BAD_PARAMETER"),
        ("1", 400, "BAD_PARAMETER"),
        ("[1]", 500, "INTERNAL"),
    ],
)
def test_a_wrong_shape_is_refused(wire: Any, root: str, entity: Any, status: int, code: str) -> None:
    got, told = write(wire, root, entity)

    assert (got, told["code"]) == (status, code), told


def test_whole_numbers_may_be_written_with_a_point(wire: Any, root: str) -> None:
    status, ids = write(wire, root, '{"Facility": {"name": "F", "daysUntilRelease": 5.0}}')

    assert status == 200
    assert wire.values(root, f"SELECT f.daysUntilRelease FROM Facility f WHERE f.id = {ids[0]}") == ["5"]


def test_a_get_with_an_id_that_is_no_number_is_no_call(wire: Any, root: str) -> None:
    status, told = wire.rest("GET", "entityManager", sessionId=root, query="Facility", id="x")

    assert (status, told["code"]) == (501, "NOT_IMPLEMENTED")


def test_a_moved_object_needs_the_right_to_delete_and_to_create(
    wire: Any, root: str, investigation: Any, raw: Any
) -> None:
    _, (key,) = write(wire, root, {"Dataset": {"investigation": investigation, "name": "d", "type": raw}})
    other = one(wire, root, "SELECT i.id FROM Investigation i WHERE i.name = 'hg123'")
    wire.create(root, "rule", "<crudFlags>RU</crudFlags><what>Dataset</what>")
    visitor = wire.login("rbeck", "db")
    move = (
        f"<sessionId>{visitor}</sessionId><bean xsi:type='i:dataset'><id>{key}</id><complete>true</complete>"
        f"<investigation><id>{other}</id></investigation><name>d</name><type><id>{raw['id']}</id></type></bean>"
    )

    with pytest.raises(AssertionError, match="DELETE access to this Dataset is not allowed"):
        wire.soap("update", move)
    wire.create(root, "rule", "<crudFlags>D</crudFlags><what>Dataset [complete = FALSE]</what>")
    with pytest.raises(AssertionError, match="CREATE access to this Dataset is not allowed"):
        wire.soap("update", move)
    wire.create(
        root, "rule", f"<crudFlags>C</crudFlags><what>Dataset &lt;-> Investigation [id = {other}]</what>"
    )
    wire.soap("update", move)

    assert wire.values(root, "SELECT d.investigation.name FROM Dataset d") == ["hg123"]


@pytest.mark.parametrize(
    ("entities", "status", "code"),
    [
        ([{"Facility": {"id": 1, "name": "ALBA"}}], 400, "BAD_PARAMETER"),
        ([{"Facility": {}}], 400, "BAD_PARAMETER"),
        ([{}], 400, "BAD_PARAMETER"),
        ([{"NoSuch": {"id": 1}}], 400, "BAD_PARAMETER"),
        ([{"Facility": 1}], 500, "INTERNAL"),
        ([1], 500, "INTERNAL"),
        ("x", 400, "BAD_PARAMETER"),
    ],
)
def test_a_delete_takes_ids_and_nothing_else(
    wire: Any, root: str, entities: Any, status: int, code: str
) -> None:
    got, told = wire.rest("DELETE", "entityManager", sessionId=root, entities=entities)

    assert (got, told["code"]) == (status, code)
    assert wire.values(root, "SELECT f.name FROM Facility f") == ["ALBA"]


def test_a_parameter_that_is_changed_is_checked_against_its_stored_type(
    wire: Any, root: str, investigation: Any
) -> None:
    kind = {"id": one(wire, root, "SELECT t.id FROM ParameterType t WHERE t.name = 'temperature'")}
    new = {"InvestigationParameter": {"investigation": investigation, "type": kind, "numericValue": 300}}
    _, (key,) = write(wire, root, new)

    good, _ = write(wire, root, {"InvestigationParameter": {"id": key, "numericValue": 400}})
    bad, told = write(wire, root, {"InvestigationParameter": {"id": key, "numericValue": 4000}})

    assert (good, bad, told["code"]) == (200, 412, "OBJECT_ALREADY_EXISTS")  # it blames the parameter's key
    assert wire.values(root, "SELECT p.numericValue FROM InvestigationParameter p") == ["400.0"]


def test_a_study_with_a_status_cannot_be_read(wire: Any, root: str) -> None:
    wire.create(root, "study", "<name>s</name><status>NEW</status>")

    status, told = wire.rest("GET", "entityManager", sessionId=root, query="SELECT s FROM Study s")

    assert (status, told["code"]) == (500, "INTERNAL")
