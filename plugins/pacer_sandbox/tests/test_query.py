"""The query language over a small catalogue, through ``search`` and ``get``."""

import sqlite3
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attrs import Factory, frozen

from pacer_sandbox.errors import IcatError
from pacer_sandbox.query import Restriction, get, parse, search
from pacer_sandbox.schema import Schema
from pacer_sandbox.store import Store

BERLIN = ZoneInfo("Europe/Berlin")
SCHEMA = Schema.load()


@frozen
class Rights:
    """A user who may read all, but for the entities with a restriction."""

    user: str = "db/jdoe"
    restrictions: dict[str, Restriction] = Factory(dict)

    def readable(self, entity: str) -> Restriction | None:
        return self.restrictions.get(entity)

    def open_step(self, origin: str, field: str) -> bool:
        return SCHEMA[origin][field].type not in self.restrictions


class Catalogue:
    """A store with a few objects and short ways to ask it."""

    def __init__(self) -> None:
        self.store = Store(SCHEMA)

    @property
    def connection(self) -> sqlite3.Connection:
        return self.store.connection

    def add(self, entity: str, **values: Any) -> int:
        id_ = self.store.new_id()
        row = {"id": id_, "createId": "root", "createTime": 0, "modId": "root", "modTime": 0, **values}
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join("?" * len(row))
        self.connection.execute(f'INSERT INTO "{entity}" ({names}) VALUES ({marks})', tuple(row.values()))
        return id_

    def ask(self, text: str, access: Rights = Rights(), max_entities: int = 10000) -> list[Any]:
        answer = search(text, self.connection, SCHEMA, access=access, zone=BERLIN, max_entities=max_entities)
        return [row[0] if len(row) == 1 else row for row in answer.rows]

    def types(self, text: str) -> tuple[str, ...]:
        return search(text, self.connection, SCHEMA, access=Rights(), zone=BERLIN).columns

    def names(self, text: str, access: Rights = Rights()) -> list[str]:
        return [row["name"] for row in self.ask(text, access)]


@pytest.fixture(scope="module")
def catalogue() -> Iterator[Catalogue]:
    found = Catalogue()
    facility = found.add("Facility", name="Helios")
    kind = found.add("InvestigationType", name="standard", facility=facility)
    raw = found.add("DatasetType", name="raw", facility=facility)
    jdoe = found.add("User", name="db/jdoe", fullName="Jöhn Doe")
    for number, (name, visit) in enumerate([("A1", "1"), ("a2", "1"), ("B3", "2")]):
        investigation = found.add(
            "Investigation",
            name=name,
            visitId=visit,
            title=f"Title {number}",
            facility=facility,
            type=kind,
            startDate=1_735_689_600 + number * 86400 if number else None,  # 2025-01-01T00:00:00Z
            fileSize=0,
            fileCount=0,
        )
        if number < 2:
            found.add("InvestigationUser", investigation=investigation, user=jdoe, role=f"role {number}")
            sample = found.add("Sample", name=f"sample {number}", investigation=investigation)
            for part in range(3):
                found.add(
                    "Dataset",
                    name=f"d{number}{part}",
                    investigation=investigation,
                    type=raw,
                    sample=sample if part else None,
                    complete=part == 1,
                    fileSize=100 * number + part,
                    fileCount=part,
                )
    units = found.add(
        "ParameterType",
        name="temperature",
        units="K",
        facility=facility,
        valueType="NUMERIC",
        enforced=0,
        verified=1,
    )
    dataset = found.connection.execute("SELECT id FROM Dataset WHERE name = 'd01'").fetchone()[0]
    found.add("DatasetParameter", dataset=dataset, type=units, numericValue=10.5)
    yield found
    found.store.close()


def refusal(catalogue: Catalogue, text: str) -> tuple[str, str]:
    with pytest.raises(IcatError) as caught:
        catalogue.ask(text)
    return caught.value.type, caught.value.message


def test_a_search_finds_whole_objects_without_what_is_null(catalogue: Catalogue) -> None:
    (found,) = catalogue.ask("SELECT i FROM Investigation i WHERE i.name = 'A1'")

    assert found["title"] == "Title 0"
    assert "startDate" not in found
    assert "facility" not in found


@pytest.mark.parametrize(
    "text",
    [
        "SELECT d FROM Dataset d JOIN d.investigation AS i WHERE i.name = 'a2'",
        "SELECT d FROM Dataset d INNER JOIN d.investigation i WHERE i.name = 'a2'",
        "SELECT d FROM Dataset d, d.investigation i WHERE i.name = 'a2'",
        "SELECT d FROM Investigation i, IN (i.datasets) d WHERE i.name = 'a2'",
        "SELECT d FROM Investigation i LEFT OUTER JOIN i.datasets d WHERE i.name = 'a2'",
        "SELECT d FROM Dataset d WHERE d.investigation.name = 'a2'",
        "SELECT i.datasets FROM Investigation i WHERE i.name = 'a2'",
        "SELECT d FROM Dataset d, Investigation i WHERE d.investigation = i AND i.name = 'a2'",
        "SELECT d FROM Dataset d WHERE d.investigation IN (SELECT i FROM Investigation i WHERE i.name='a2')",
        "SELECT d FROM Dataset d WHERE EXISTS (SELECT i FROM d.investigation i WHERE i.name = 'a2')",
        "SELECT d FROM Dataset d, Investigation i WHERE d MEMBER OF i.datasets AND i.name = 'a2'",
        "Dataset <-> Investigation [name = 'a2']",
        "Dataset [investigation.name = 'a2']",
    ],
)
def test_many_ways_lead_to_the_datasets_of_an_investigation(catalogue: Catalogue, text: str) -> None:
    assert sorted(catalogue.names(text)) == ["d10", "d11", "d12"]


def test_a_path_over_a_missing_object_drops_the_row_wherever_it_stands(catalogue: Catalogue) -> None:
    assert catalogue.ask("SELECT COUNT(d) FROM Dataset d") == [6]
    for text in (
        "SELECT d.sample.name FROM Dataset d",
        "SELECT d.name FROM Dataset d ORDER BY d.sample.name",
        "SELECT d.name FROM Dataset d WHERE d.sample.name LIKE '%' OR d.name LIKE '%'",
        "SELECT d.sample FROM Dataset d",
    ):
        assert len(catalogue.ask(text)) == 4
    assert len(catalogue.ask("SELECT d.name FROM Dataset d WHERE d.sample IS NULL")) == 2
    assert len(catalogue.ask("SELECT d.name FROM Dataset d LEFT JOIN d.sample s WHERE s IS NULL")) == 2


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("i.name = 'A2 '", ["a2"]),
        ("LOWER(i.name) = 'A2'", ["a2"]),
        ("i.name <> 'a1'", ["a2", "B3"]),
        ("i.name IN ('a1', 'b3')", ["A1", "B3"]),
        ("i.name NOT IN ('a1', 'b3')", ["a2"]),
        ("i.name BETWEEN 'a1' AND 'A2'", ["A1", "a2"]),
        ("i.name LIKE 'A_'", ["A1", "a2"]),
        ("i.title LIKE 'Title$_0' ESCAPE '$'", []),
        ("i.startDate IS NULL", ["A1"]),
        ("i.startDate = NULL", ["A1"]),
        ("i.startDate = {ts 2025-01-02 01:00:00}", ["a2"]),
        ("i.startDate = '2025-01-02 01:00:00'", ["a2"]),
        ("i.startDate > '2025-01-02'", ["a2", "B3"]),
        ("i.startDate < CURRENT_TIMESTAMP", ["a2", "B3"]),
        ("i.datasets IS EMPTY", ["B3"]),
        ("i.datasets IS NOT EMPTY AND SIZE(i.datasets) = 3", ["A1", "a2"]),
        ("i.fileSize = '0' AND i.visitId = 2", ["B3"]),
        ("NOT (i.name = 'A1' OR i.visitId = '2')", ["a2"]),
        ("CONCAT(i.name, '/', i.visitId) = 'b3/2'", ["B3"]),
        ("SUBSTRING(i.title, 7) = '2' AND LENGTH(i.title) = 7", ["B3"]),
        ("LOCATE('LE 1', i.title) = 4", ["a2"]),
        ("TRIM(LEADING 'B' FROM i.name) = '3'", ["B3"]),
        ("COALESCE(i.doi, i.name) = 'B3'", ["B3"]),
        ("CASE WHEN i.visitId = '2' THEN 'x' ELSE 'y' END = 'x'", ["B3"]),
        ("i.visitId >= ALL (SELECT j.visitId FROM Investigation j)", ["B3"]),
        ("i.visitId < ANY (SELECT j.visitId FROM Investigation j)", ["A1", "a2"]),
        ("i.id = (SELECT MAX(j.id) FROM Investigation j)", ["B3"]),
        ("EXISTS (SELECT iu FROM i.investigationUsers iu WHERE iu.user.name = :user)", ["A1", "a2"]),
        ("(SELECT COUNT(d) FROM Dataset d WHERE d.investigation = i) > 2", ["A1", "a2"]),
    ],
)
def test_conditions(catalogue: Catalogue, condition: str, names: list[str]) -> None:
    assert catalogue.names(f"SELECT i FROM Investigation i WHERE {condition} ORDER BY i.name") == names


@pytest.mark.parametrize(
    ("text", "types", "values"),
    [
        ("SELECT COUNT(d), COUNT(DISTINCT d.sample) FROM Dataset d", ("Long", "Long"), (6, 2)),
        ("SELECT SUM(d.fileSize), AVG(d.fileSize) FROM Dataset d", ("Long", "Double"), (306, 51.0)),
        ("SELECT AVG(d.fileCount) FROM Dataset d WHERE d.name <> 'd00'", ("Double",), 1.2),
        ("SELECT MIN(d.name), MAX(d.complete) FROM Dataset d", ("String", "boolean"), ("d00", 1)),
        ("SELECT p.numericValue, p.type.valueType FROM DatasetParameter p",
         ("Double", "ParameterValueType"), (10.5, "NUMERIC")),
        ("SELECT SUM(p.numericValue) FROM DatasetParameter p", ("Double",), 10.5),
        ("SELECT LENGTH(f.name) + 1, UPPER(f.name) FROM Facility f", ("Integer", "String"), (7, "HELIOS")),
        ("SELECT SUM(d.fileSize) FROM Dataset d WHERE d.name = 'none'", ("Long",), None),
    ],
)  # fmt: skip
def test_values_have_the_type_of_what_they_are(
    catalogue: Catalogue, text: str, types: tuple[str, ...], values: Any
) -> None:
    assert catalogue.types(text) == types
    assert catalogue.ask(text) == [values]


def test_groups_show_their_first_row_where_a_column_is_not_grouped(catalogue: Catalogue) -> None:
    assert catalogue.ask(
        "SELECT i.visitId, COUNT(d) FROM Investigation i LEFT JOIN i.datasets d"
        " GROUP BY i.visitId HAVING COUNT(d) > 1 ORDER BY COUNT(d)"
    ) == [("1", 6)]
    assert catalogue.names("SELECT i FROM Investigation i GROUP BY i.visitId ORDER BY i.visitId") == [
        "A1",
        "B3",
    ]


def test_distinct_looks_at_text_as_the_collation_does(catalogue: Catalogue) -> None:
    assert catalogue.ask("SELECT DISTINCT SUBSTRING(i.name, 1, 1) FROM Investigation i") == ["A", "B"]


def test_limit_cuts_after_sorting_and_zero_is_no_limit(catalogue: Catalogue) -> None:
    query = "SELECT d.name FROM Dataset d ORDER BY d.name DESC LIMIT "

    assert catalogue.ask(query + "1, 2") == ["d11", "d10"]
    assert catalogue.ask(query + "4, *") == ["d01", "d00"]
    assert len(catalogue.ask(query + "0, 0")) == 6
    assert refusal(catalogue, query + "-1, 2")[0] == "INTERNAL"


def test_include_follows_paths_and_variables(catalogue: Catalogue) -> None:
    (found,) = catalogue.ask(
        "SELECT i FROM Investigation i WHERE i.name = 'A1' INCLUDE i.facility, i.datasets AS d, d.sample"
    )

    assert found["facility"]["name"] == "Helios"
    assert [d["name"] for d in found["datasets"]] == ["d00", "d01", "d02"]
    assert ["sample" in d for d in found["datasets"]] == [False, True, True]
    assert "investigation" not in found["datasets"][0]


def test_include_1_is_every_to_one_relation(catalogue: Catalogue) -> None:
    (found,) = catalogue.ask("SELECT d FROM Dataset d WHERE d.name = 'd01' INCLUDE 1 LIMIT 0, 1")

    assert found["investigation"]["name"] == "A1"
    assert found["type"]["name"] == "raw"
    assert "datafiles" not in found


def test_get_finds_by_id_and_includes_in_both_syntaxes(catalogue: Catalogue) -> None:
    (id_,) = catalogue.ask("SELECT d.id FROM Dataset d WHERE d.name = 'd01'")
    for text in (
        "Dataset d INCLUDE d.parameters p, p.type",
        "Dataset INCLUDE DatasetParameter, ParameterType",
    ):
        entity, found = get(text, id_, catalogue.connection, SCHEMA, access=Rights())

        assert entity == "Dataset"
        assert found["parameters"][0]["type"]["name"] == "temperature"

    with pytest.raises(IcatError, match="not found") as caught:
        get("Dataset", -1, catalogue.connection, SCHEMA, access=Rights())
    assert caught.value.type == "NO_SUCH_OBJECT_FOUND"


def test_answers_that_are_too_large_are_refused_counting_what_they_include(catalogue: Catalogue) -> None:
    everything = "SELECT i FROM Investigation i"

    assert len(catalogue.ask(everything, max_entities=3)) == 3
    for text in (everything + ", Facility f, User u, Dataset d", everything + " INCLUDE i.datasets"):
        with pytest.raises(IcatError, match="more than 3 entities") as caught:
            catalogue.ask(text, max_entities=3)
        assert caught.value.type == "VALIDATION"
    with pytest.raises(IcatError, match="more than 5 entities"):
        catalogue.ask(everything + " INCLUDE i.facility", max_entities=5)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("SELECT i FROM Investigation i WHERE i.name == 'x'", 45),
        ("SELECT i FROM Investigation i WHERE i.nosuch = 1", 37),
        ("SELECT i FROM Investigation i WHERE i.name", 37),
        ("SELECT i FROM Investigation i WHERE j.name = 'x'", 37),
        ("SELECT i FROM Investigation i WHERE i.datasets.name = 'x'", 37),
        ("SELECT i FROM Investigation i WHERE NOSUCH(i.name) = 'x'", 37),
        ("SELECT i FROM Investigation i WHERE COUNT(i) = 1", 37),
        ("SELECT i FROM Investigation i WHERE i.name = 'x' INCLUDE i.title", 58),
        ("SELECT i FROM Investigation i; DROP TABLE Investigation", 30),
        ("SELECT i FROM NoSuch i", 15),
        ("SELECT COALESCE(i.doi, 'none') FROM Investigation i", 8),
        ("SELECT i FROM Investigation i JOIN i.datasets d ON d.name = 'x'", 49),
    ],
)
def test_what_is_not_understood_is_refused_with_its_position(
    catalogue: Catalogue, text: str, position: int
) -> None:
    kind, message = refusal(catalogue, text)

    assert kind == "BAD_PARAMETER"
    assert f"at character {position}, " in message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT",
        "SELECT i FROM Investigation i WHERE i.name = 'unclosed",
        "SELECT i FROM Investigation i WHERE\ni.name = 'x'",
        "SELECT i FROM Investigation i JOIN FETCH i.datasets",
        "SELECT COUNT(*) FROM Investigation i",
        "SELECT i FROM Investigation i WHERE i.startDate > {d 2025-01-01}",
        "SELECT t FROM ParameterType t WHERE t.valueType = org.icatproject.ParameterValueType.NOSUCH",
        "SELECT i, f FROM Investigation i, i.facility f INCLUDE i.type",
        "SELECT i FROM Investigation i INCLUDE i.facility, i.facility",
        "DELETE FROM Investigation i",
        "Facility [name = 'Helios'",
        "Facility [nosuch = 1]",
        "Dataset <-> ParameterType [name = 'x']",
        "Dataset INCLUDE User",
    ],
)
def test_nonsense_is_a_bad_parameter(catalogue: Catalogue, text: str) -> None:
    assert refusal(catalogue, text)[0] == "BAD_PARAMETER"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT i FROM Investigation i WHERE i.fileSize = 'abc'",
        "SELECT i FROM Investigation i WHERE i.startDate > 'yesterday'",
        "SELECT t FROM ParameterType t WHERE t.valueType = 'NUMERIC'",
        "SELECT d FROM Dataset d WHERE d.investigation = 5",
        "SELECT i FROM Investigation i WHERE i.name = :nosuch",
        "SELECT d, i FROM Dataset d JOIN d.investigation i",
        "SELECT i.startDate FROM Investigation i ORDER BY i.name",
    ],
)
def test_where_the_real_server_trips_the_answer_is_internal(catalogue: Catalogue, text: str) -> None:
    assert refusal(catalogue, text)[0] == "INTERNAL"


def test_restrictions_hold_for_what_is_selected_and_included(catalogue: Catalogue) -> None:
    first = Restriction(("SELECT r.id FROM Dataset r WHERE r.name = :name",), {"name": "d11"})
    rights = Rights(restrictions={"Dataset": first})

    assert catalogue.names("SELECT d FROM Dataset d", rights) == ["d11"]
    assert catalogue.ask("SELECT COUNT(d) FROM Dataset d", rights) == [1]
    assert len(catalogue.ask("SELECT i FROM Investigation i JOIN i.datasets d", rights)) == 6
    included = catalogue.ask("SELECT i FROM Investigation i WHERE i.name = 'a2' INCLUDE i.datasets", rights)
    assert [d["name"] for d in included[0]["datasets"]] == ["d11"]


def test_without_any_right_a_search_is_empty_and_a_lone_count_is_zero(catalogue: Catalogue) -> None:
    rights = Rights(restrictions={"Dataset": Restriction(())})

    assert catalogue.ask("SELECT d FROM Dataset d", rights) == []
    assert catalogue.ask("SELECT COUNT(d) FROM Dataset d", rights) == [0]
    assert catalogue.ask("SELECT MAX(d.fileSize) FROM Dataset d", rights) == []
    (found,) = catalogue.ask("SELECT i FROM Investigation i WHERE i.name = 'A1' INCLUDE i.datasets", rights)
    assert found["datasets"] == []


def test_a_query_is_read_once_for_its_text() -> None:
    text = "SELECT f FROM Facility f WHERE f.name = 'once'"

    assert parse(text, SCHEMA) is parse(text, SCHEMA)
