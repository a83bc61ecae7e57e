"""Authorisation rules over a small catalogue, through ``Authoriser``, ``check_rule`` and ``search``."""

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pacer_sandbox.errors import IcatError
from pacer_sandbox.query import get, search
from pacer_sandbox.rules import Authoriser, check_public_step, check_rule
from pacer_sandbox.schema import Schema
from pacer_sandbox.store import Store

SCHEMA = Schema.load()
BERLIN = ZoneInfo("Europe/Berlin")
MINE = "SELECT i FROM Investigation i JOIN i.investigationUsers iu WHERE iu.user.name = :user"


class Catalogue:
    """A store in which jdoe has one of two investigations, and acord belongs to the staff."""

    def __init__(self) -> None:
        self.store = Store(SCHEMA)
        self.facility = self.add("Facility", name="Helios")
        kind = self.add("InvestigationType", name="standard", facility=self.facility)
        raw = self.add("DatasetType", name="raw", facility=self.facility)
        self.jdoe, acord = self.add("User", name="db/jdoe"), self.add("User", name="db/acord")
        self.staff = self.add("Grouping", name="staff")
        self.add("UserGroup", user=acord, grouping=self.staff)
        self.investigations = [
            self.add("Investigation", name=name, visitId="1", title=name, facility=self.facility, type=kind)
            for name in ("mine", "other")
        ]
        self.add("InvestigationUser", user=self.jdoe, investigation=self.investigations[0], role="PI")
        self.datasets = [
            self.add("Dataset", name=f"of {parent}", investigation=parent, type=raw, complete=0)
            for parent in self.investigations
        ]

    def add(self, entity: str, **values: Any) -> int:
        id_ = self.store.new_id()
        row = {"id": id_, "createId": "r", "createTime": 0, "modId": "r", "modTime": 0, **values}
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join("?" * len(row))
        sql = f'INSERT INTO "{entity}" ({names}) VALUES ({marks})'
        self.store.connection.execute(sql, tuple(row.values()))
        return id_

    def rule(self, flags: str, what: str, *, staff: bool = False) -> None:
        values = {"crudFlags": flags, "what": what}
        flags = check_rule(values, SCHEMA)
        self.add("Rule", crudFlags=flags, what=what, grouping=self.staff if staff else None)

    def rights(self, user: str) -> Authoriser:
        return Authoriser(SCHEMA, self.store.connection, user, {"simple/root"}, BERLIN)

    def names(self, user: str, text: str) -> list[str]:
        answer = search(text, self.store.connection, SCHEMA, access=self.rights(user), zone=BERLIN)
        return sorted(row[0]["name"] for row in answer.rows)


@pytest.fixture
def catalogue() -> Iterator[Catalogue]:
    made = Catalogue()
    yield made
    made.store.close()


def test_nothing_is_allowed_that_no_rule_allows_except_to_root(catalogue: Catalogue) -> None:
    nobody, root = catalogue.rights("db/jdoe"), catalogue.rights("simple/root")

    for right in ("C", "R", "U", "D"):
        assert nobody.allowed(right, "Dataset", catalogue.datasets) == set()
        assert root.allowed(right, "Dataset", catalogue.datasets) == set(catalogue.datasets)
    assert catalogue.names("db/jdoe", "Investigation") == []
    assert catalogue.names("simple/root", "Investigation") == ["mine", "other"]


@pytest.mark.parametrize(
    "what",
    [
        MINE,
        "select i from Investigation i join i.investigationUsers iu where iu.user.name = :user",
        "Investigation <-> InvestigationUser <-> User [name = :user]",
    ],
)
def test_a_rule_in_either_syntax_gives_what_its_query_finds(catalogue: Catalogue, what: str) -> None:
    catalogue.rule("R", what)

    assert catalogue.names("db/jdoe", "SELECT i FROM Investigation i") == ["mine"]
    assert catalogue.names("db/acord", "SELECT i FROM Investigation i") == []
    assert catalogue.rights("db/jdoe").allowed("R", "Investigation", catalogue.investigations) == {
        catalogue.investigations[0]
    }


def test_rules_add_up(catalogue: Catalogue) -> None:
    catalogue.rule("R", MINE)
    catalogue.rule("R", "Investigation [name = 'other']")

    assert catalogue.names("db/jdoe", "Investigation") == ["mine", "other"]
    assert catalogue.names("db/acord", "Investigation") == ["other"]


def test_a_rule_of_a_grouping_is_for_its_members(catalogue: Catalogue) -> None:
    catalogue.rule("RU", "SELECT d FROM Dataset d", staff=True)

    assert len(catalogue.names("db/acord", "Dataset")) == 2
    assert catalogue.names("db/jdoe", "Dataset") == []
    assert catalogue.rights("db/acord").allowed("U", "Dataset", catalogue.datasets) == set(catalogue.datasets)
    assert catalogue.rights("db/acord").allowed("D", "Dataset", catalogue.datasets) == set()


@pytest.mark.parametrize("flags", ["R", "U", ""])
def test_a_rule_for_everybody_without_where_makes_a_table_public_whatever_its_flags(
    catalogue: Catalogue, flags: str
) -> None:
    catalogue.rule(flags, "SELECT f FROM Facility f")

    assert catalogue.names("db/jdoe", "Facility") == ["Helios"]
    assert catalogue.rights("db/jdoe").allowed("R", "Facility", [99999999]) == {99999999}


def test_a_right_needs_the_object_to_be_there(catalogue: Catalogue) -> None:
    catalogue.rule("D", "Facility")

    assert catalogue.rights("db/jdoe").allowed("D", "Facility", [catalogue.facility, 99999999]) == {
        catalogue.facility
    }


def test_a_check_names_the_right_and_the_entity(catalogue: Catalogue) -> None:
    with pytest.raises(IcatError, match="DELETE access to this Dataset is not allowed") as caught:
        catalogue.rights("db/jdoe").check("D", "Dataset", catalogue.datasets)

    assert caught.value.type == "INSUFFICIENT_PRIVILEGES"


def test_get_says_that_reading_is_not_allowed(catalogue: Catalogue) -> None:
    catalogue.rule("R", MINE)
    mine, other = catalogue.investigations
    connection, rights = catalogue.store.connection, catalogue.rights("db/jdoe")

    assert get("Investigation", mine, connection, SCHEMA, access=rights)[1]["name"] == "mine"
    with pytest.raises(IcatError, match="READ access to this Investigation is not allowed"):
        get("Investigation", other, connection, SCHEMA, access=rights)


def test_what_is_included_and_not_readable_is_left_out(catalogue: Catalogue) -> None:
    catalogue.rule("R", MINE)
    query = "SELECT i FROM Investigation i INCLUDE i.datasets d, i.facility, d.type"

    def ask() -> dict[str, Any]:
        rights = catalogue.rights("db/jdoe")
        answer = search(query, catalogue.store.connection, SCHEMA, access=rights, zone=BERLIN)
        found: dict[str, Any] = answer.rows[0][0]
        return found

    assert ask()["datasets"] == []
    assert "facility" not in ask()
    catalogue.add("PublicStep", origin="Investigation", field="datasets")
    catalogue.rule("R", "Facility")
    assert len(ask()["datasets"]) == 1
    assert "type" not in ask()["datasets"][0]
    assert ask()["facility"]["name"] == "Helios"


def test_a_rule_may_give_single_attributes_for_update(catalogue: Catalogue) -> None:
    catalogue.rule("U", f"{MINE.replace('SELECT i ', 'SELECT i.title ')}")
    mine, other = catalogue.investigations
    rights = catalogue.rights("db/jdoe")

    rights.check_update("Investigation", mine, ["id", "title"])
    rights.check_update("Investigation", other, ["id"])
    for id_, changed in ((mine, ["title", "summary"]), (other, ["title"]), (mine, ["datasets"])):
        with pytest.raises(IcatError, match="UPDATE access"):
            rights.check_update("Investigation", id_, changed)
    assert rights.allowed("U", "Investigation", [mine]) == set()


def test_rules_stand_side_by_side_with_constants_of_their_own(catalogue: Catalogue) -> None:
    for name in ("mine", "other"):
        catalogue.rule("R", f"SELECT i FROM Investigation i WHERE i.name = '{name}' AND i.visitId = '1'")
        catalogue.rule("R", f"SELECT d FROM Dataset d WHERE d.investigation.name = '{name}'")

    found = catalogue.names(
        "db/jdoe",
        "SELECT d FROM Dataset d JOIN d.investigation i WHERE i.name LIKE '%' AND d.complete = FALSE",
    )
    assert len(found) == 2


def test_a_moment_in_a_rule_is_in_the_servers_zone(catalogue: Catalogue) -> None:
    catalogue.rule("R", "SELECT i FROM Investigation i WHERE i.createTime < {ts 1970-01-01 01:00:01}")
    catalogue.rule("R", "SELECT d FROM Dataset d WHERE d.createTime < {ts 1970-01-01 01:00:00}")

    assert len(catalogue.names("db/jdoe", "Investigation")) == 2
    assert catalogue.names("db/jdoe", "Dataset") == []


def test_a_rule_may_ask_for_the_present_wherever_it_is_applied(catalogue: Catalogue) -> None:
    for entity in ("Investigation", "Dataset"):
        catalogue.rule("R", f"SELECT e FROM {entity} e WHERE e.createTime < CURRENT_TIMESTAMP")
    rights, connection = catalogue.rights("db/jdoe"), catalogue.store.connection
    query = "SELECT i FROM Investigation i INCLUDE i.datasets"

    answer = search(query, connection, SCHEMA, access=rights, zone=BERLIN)
    assert [len(row[0]["datasets"]) for row in answer.rows] == [1, 1]
    assert rights.allowed("R", "Dataset", catalogue.datasets) == set(catalogue.datasets)
    assert get("Dataset", catalogue.datasets[0], connection, SCHEMA, access=rights)


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        ("X", "Facility"),
        ("R", None),
        ("R", ""),
        ("R", "NoSuch"),
        ("R", "SELECT f FROM NoSuch f"),
        ("R", "SELECT x FROM Facility f"),
        ("R", "SELECT f FROM Facility f WHERE"),
        ("R", "SELECT f FROM Facility f WHERE f.nosuch = 1"),
        ("R", "SELECT f.name FROM Facility f"),
        ("RU", "SELECT f.name FROM Facility f"),
        ("U", "SELECT f.nosuch FROM Facility f"),
        ("U", "SELECT i.facility.name FROM Investigation i"),
        ("R", "SELECT f, i FROM Facility f JOIN f.instruments i"),
        ("R", "SELECT f FROM Facility f INCLUDE f.instruments"),
        ("R", "SELECT f FROM Facility f LIMIT 0, 1"),
        ("R", "SELECT f FROM Facility f ORDER BY f.name"),
        ("R", "SELECT f FROM Facility f GROUP BY f.name"),
        ("R", "SELECT COUNT(f) FROM Facility f"),
        ("R", "SELECT DISTINCT f FROM Facility f"),
        ("R", "Facility INCLUDE 1"),
        ("R", "Facility [nosuch = 1]"),
    ],
)
def test_a_rule_that_cannot_be_one_is_refused(flags: str, what: str | None) -> None:
    with pytest.raises(IcatError) as caught:
        check_rule({"crudFlags": flags, "what": what}, SCHEMA)

    assert caught.value.type == "BAD_PARAMETER"


def test_flags_are_stored_in_capitals_and_cannot_be_missing() -> None:
    assert check_rule({"crudFlags": " ru ", "what": "Facility"}, SCHEMA) == "RU"
    assert check_rule({"crudFlags": "U", "what": "SELECT f.name FROM Facility f"}, SCHEMA) == "U"
    with pytest.raises(IcatError) as caught:
        check_rule({"what": "Facility"}, SCHEMA)
    assert caught.value.type == "INTERNAL"


def test_a_rule_with_an_unknown_parameter_fails_when_it_is_applied(catalogue: Catalogue) -> None:
    catalogue.rule("R", "SELECT f FROM Facility f WHERE f.name = :nosuch")

    with pytest.raises(IcatError) as caught:
        catalogue.names("db/jdoe", "Facility")
    assert caught.value.type == "INTERNAL"


@pytest.mark.parametrize(("origin", "field"), [("NoSuch", "x"), ("Dataset", "nosuch"), ("Dataset", "name")])
def test_a_public_step_is_a_relation(origin: str, field: str) -> None:
    check_public_step({"origin": "Dataset", "field": "datafiles"}, SCHEMA)
    with pytest.raises(IcatError) as caught:
        check_public_step({"origin": origin, "field": field}, SCHEMA)
    assert caught.value.type == "BAD_PARAMETER"
