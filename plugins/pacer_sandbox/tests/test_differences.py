"""Each known difference from a real ICAT, as the page `docs/reference/sandbox-differences.md` lists them."""

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pacer_sandbox import IcatSandbox

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "sandbox-differences.md"
WireAt = Callable[[str], Any]


def dataset(wire: Any, session: str, name: str, more: str = "") -> int:
    investigation = wire.values(session, "SELECT i.id FROM Investigation i WHERE i.name = 'mx-123'")[0]
    kind = wire.values(session, "SELECT t.id FROM DatasetType t WHERE t.name = 'raw'")[0]
    inner = f"{more}<investigation><id>{investigation}</id></investigation><name>{name}</name>"
    return int(wire.create(session, "dataset", f"{inner}<type><id>{kind}</id></type>"))


def test_the_page_names_each_test_here_and_no_other() -> None:
    named = re.findall(r"^\* .*\(`(test_\w+)`\)$", PAGE.read_text(), re.MULTILINE)
    here = [
        name
        for name in globals()
        if name.startswith("test_") and name != "test_the_page_names_each_test_here_and_no_other"
    ]

    assert sorted(named) == sorted(here)
    assert len(named) == PAGE.read_text().count("\n* ")


def test_port_and_cloner_are_not_implemented(wire: Any, root: str) -> None:
    for method, path in (("GET", "port"), ("POST", "port"), ("POST", "cloner")):
        status, told = wire.rest(method, path, sessionId=root)
        assert (status, told["code"]) == (501, "NOT_IMPLEMENTED")


def test_full_text_search_finds_nothing(wire: Any, root: str) -> None:
    query = {"target": "Investigation", "text": "protein"}

    assert wire.rest("GET", "search/documents", sessionId=root, query=query) == (200, {"results": []})
    assert wire.rest("GET", "lucene/data", sessionId=root, query=query) == (200, [])


def test_only_three_authenticators_are_known(wire: Any, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="Authenticator mnemonic ldap not recognised"):
        wire.login("root", "ldap")
    accounts = tmp_path / "accounts.yaml"
    accounts.write_text("authenticators: {ldap: {root: secret}}")
    with pytest.raises(ValueError, match="only simple, db, anon are known"):
        IcatSandbox(accounts=accounts)


def test_dummy_is_described_but_not_answered(wire: Any) -> None:
    assert b'name="dummy"' in wire.http("GET", "/ICATService/ICAT?wsdl")[1]
    with pytest.raises(AssertionError, match="Cannot find dispatch method for dummy"):
        wire.soap("dummy")


def test_comments_are_names_in_words(wire: Any) -> None:
    info = wire.soap("getEntityInfo", "<beanName>DatafileParameter</beanName>")[0]

    assert info.findtext("classComment") == "Datafile parameter"
    assert info.find("fields/comment") is None


def test_properties_are_three(wire: Any, root: str) -> None:
    told = [e.text or "" for e in wire.soap("getProperties", f"<sessionId>{root}</sessionId>")]

    assert told == ["maxEntities 10000", "lifetimeMinutes 120", "rootUserNames simple/root"]


def test_children_get_ids_in_the_reverse_of_the_order_sent(wire: Any, root: str) -> None:
    names = ["c", "a", "b"]

    dataset(wire, root, "d", "".join(f"<datafiles><name>{name}</name></datafiles>" for name in names))

    assert wire.values(root, "SELECT f.name FROM Datafile f ORDER BY f.id") == names[::-1]


def test_an_entity_beside_a_value_is_internal(wire: Any, root: str) -> None:
    query = "SELECT f, f.name FROM Facility f"

    with pytest.raises(AssertionError, match="INTERNAL"):
        wire.search(root, query)
    assert wire.rest("GET", "entityManager", sessionId=root, query=query)[0] == 500


def test_a_bad_where_is_refused_to_everybody(wire: Any, root: str) -> None:
    for session in (root, wire.login("ahau", "db")):
        with pytest.raises(AssertionError, match="BAD_PARAMETER"):
            wire.search(session, "SELECT d FROM Dataset d WHERE d.name LIKE")


@pytest.mark.parametrize(
    "condition",
    [
        "FUNCTION('UPPER', f.name) = 'X'",
        "SQL('name = 1')",
        "CAST(f.daysUntilRelease AS CHAR) = '1'",
        "EXTRACT(YEAR FROM f.createTime) = 2025",
        "f.name REGEXP 'A.*'",
    ],
)
def test_functions_of_the_database_are_refused(wire: Any, root: str, condition: str) -> None:
    with pytest.raises(AssertionError, match="BAD_PARAMETER"):
        wire.search(root, f"SELECT f FROM Facility f WHERE {condition}")


def test_a_date_compared_with_no_date_is_internal(wire: Any, root: str) -> None:
    with pytest.raises(AssertionError, match="INTERNAL"):
        wire.search(root, "SELECT f FROM Facility f WHERE f.createTime > 'yesterday'")


def test_the_present_is_after_what_has_just_been_created(wire: Any, root: str) -> None:
    wire.create(root, "user", "<name>new</name>")

    query = "SELECT u.name FROM User u WHERE u.name = 'new' AND u.createTime < CURRENT_TIMESTAMP"
    assert wire.values(root, query) == ["new"]


def test_internal_errors_are_worded_after_the_database(wire: Any, root: str) -> None:
    twice = "<datafiles><name>f</name></datafiles>" * 2
    for more, said in (
        (twice, "Duplicate entry"),
        ("<datafiles/>", "Column 'name' cannot be null"),
        (f"<datafiles><name>{'x' * 256}</name></datafiles>", "Data too long"),
    ):
        with pytest.raises(AssertionError, match=f"(?s)INTERNAL Unexpected DB response.*{said}"):
            dataset(wire, root, "d", more)


def test_letters_that_unicode_does_not_decompose_are_their_own(wire: Any, root: str) -> None:
    wire.create(root, "user", "<name>Łódź</name>")

    assert wire.values(root, "SELECT u.name FROM User u WHERE u.name = 'łodz'") == ["Łódź"]
    assert wire.values(root, "SELECT u.name FROM User u WHERE u.name = 'lodz'") == []


def test_writers_wait_and_never_deadlock(icat_server: IcatSandbox, wire: Any, root: str) -> None:
    errors: list[str] = []

    def work(numbers: range) -> None:
        try:
            for number in numbers:
                dataset(wire, root, f"d{number}", "<datafiles><name>f</name></datafiles>" * 1)
        except AssertionError as exc:
            errors.append(str(exc))

    threads = [threading.Thread(target=work, args=(range(n, 40, 4),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert wire.values(root, "SELECT COUNT(d) FROM Dataset d") == ["40"]


def test_nobody_counts_files(wire: Any, root: str) -> None:
    dataset(wire, root, "d", "<datafiles><fileSize>5</fileSize><name>f</name></datafiles>")

    assert wire.values(root, "SELECT d.fileCount FROM Dataset d") == ["0"]
    assert wire.values(root, "SELECT d.fileSize FROM Dataset d") == ["0"]


def test_sessions_survive_a_restart(tmp_path: Path, wire_at: WireAt) -> None:
    with IcatSandbox(data=tmp_path / "icat.db") as icat:
        session = wire_at(icat.url).login()

    with IcatSandbox(data=tmp_path / "icat.db") as icat:
        assert wire_at(icat.url).values(session, "SELECT f.name FROM Facility f") == []


def test_the_control_path_exists(wire: Any) -> None:
    assert wire.http("GET", "/sandbox/misbehave")[0] == 200
