"""A catalogue begins with the demo facility, or with what icatdump has written of another."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pacer_sandbox import IcatSandbox
from pacer_sandbox.seed import SeedError, unique_key

ENTITIES = (
    "User",
    "Grouping",
    "UserGroup",
    "Rule",
    "Facility",
    "Instrument",
    "ParameterType",
    "Investigation",
)


def counts(wire: Any, session: str) -> dict[str, str]:
    return {
        e: wire.values(session, f"SELECT COUNT(x) FROM {e} x")[0] for e in (*ENTITIES, "Dataset", "Datafile")
    }


@pytest.mark.parametrize("backend", ["XML", "YAML"])
def test_a_dump_of_one_sandbox_seeds_another(
    icat_server: IcatSandbox,
    wire: Any,
    root: str,
    wire_at: Callable[[str], Any],
    tmp_path: Path,
    backend: str,
) -> None:
    investigation = wire.values(root, "SELECT i.id FROM Investigation i WHERE i.name = 'mx-123'")[0]
    kind = wire.values(root, "SELECT t.id FROM DatasetType t WHERE t.name = 'raw'")[0]
    wire.create(
        root,
        "dataset",
        "<datafiles><name>a_b=(c).h5</name></datafiles>"
        f"<investigation><id>{investigation}</id></investigation><name>naïve-set</name>"
        f"<startDate>2025-07-15T15:53:33Z</startDate><type><id>{kind}</id></type>",
    )
    dump = tmp_path / "dump"
    script = Path(sys.executable).with_name("icatdump.py")
    arguments = [
        "-w",
        icat_server.wsdl,
        "-a",
        "simple",
        "-u",
        "root",
        "-p",
        "secret",
        "-f",
        backend,
        "-o",
        str(dump),
    ]
    subprocess.run([sys.executable, str(script), *arguments], check=True, timeout=60)

    with IcatSandbox(seed=dump) as copy:
        other = wire_at(copy.url)
        session = other.login()

        assert counts(other, session) == counts(wire, root)
        assert other.values(session, "SELECT f.name FROM Datafile f WHERE f.dataset.name = 'naïve-set'") == [
            "a_b=(c).h5"
        ]
        assert other.values(session, "SELECT d.startDate FROM Dataset d") == ["2025-07-15T17:53:33+02:00"]


def test_the_demo_carries_the_example_messages(wire: Any, root: str) -> None:
    for name, visit, instrument in (("20250330096", "bl06", "bl06"), ("mx-123", "id30a-3", "id30a-3")):
        linked = (
            f"SELECT n.name FROM Investigation i JOIN i.investigationInstruments ii JOIN ii.instrument n"
            f" WHERE i.name = '{name}' AND i.visitId = '{visit}' AND i.startDate < {{ts 2025-07-15 00:00:00}}"
            f" AND i.endDate > {{ts 2025-07-16 00:00:00}}"
        )
        assert wire.values(root, linked) == [instrument]
    known = set(wire.values(root, "SELECT t.name FROM ParameterType t WHERE t.applicableToDataset = TRUE"))
    assert {"scanType", "input_datasets", "ResourcesGalleryFilePaths", "Sample_name", "datasetName"} <= known
    assert not known & {"machine", "software"}
    assert wire.values(root, "SELECT t.units FROM ParameterType t WHERE t.name LIKE '%incident_energy'") == [
        "keV"
    ]


def test_the_demo_lets_the_ingester_write_and_the_reader_read(wire: Any) -> None:
    ingester, reader, visitor = wire.login("ingest"), wire.login("reader"), wire.login("jdoe", "db")

    wire.create(ingester, "technique", "<name>MX</name>")

    assert wire.values(reader, "SELECT t.name FROM Technique t") == ["MX"]
    with pytest.raises(AssertionError, match="INSUFFICIENT_PRIVILEGES"):
        wire.create(reader, "technique", "<name>other</name>")
    assert sorted(wire.values(visitor, "SELECT i.name FROM Investigation i")) == ["20250330096", "mx-123"]


def xml(content: str) -> str:
    return f"<icatdata><data>{content}</data></icatdata>"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (xml("<facility id='F'><nosuch/></facility>"), "F: Facility has no nosuch"),
        (xml("<facility><daysUntilRelease>soon</daysUntilRelease></facility>"), "'soon' is no Integer"),
        (xml("<instrument><name>n</name><facility ref='Facility_name-x'/></instrument>"), "names no object"),
        (xml("<user id='a'><name>n</name></user><user id='b'><name>N</name></user>"), "Duplicate entry"),
        ("<icatdata><data>", "dump"),
        ("facility: [1, 2", "dump"),
        ("- a\n- b\n", "mapping"),
        ("nosuch: {a: {name: b}}\n", "nosuch is no entity"),
    ],
)
def test_a_dump_that_does_not_fit_is_refused_with_its_place_and_leaves_nothing(
    tmp_path: Path, text: str, message: str
) -> None:
    dump = tmp_path / "dump"
    dump.write_text(text)

    with pytest.raises(SeedError, match=message):
        IcatSandbox(seed=dump)


def test_objects_are_found_by_unique_keys_and_by_attributes(
    tmp_path: Path, wire_at: Callable[[str], Any]
) -> None:
    dump = tmp_path / "dump.xml"
    dump.write_text(
        "<icatdata><data><facility id='f1'><name>A_B</name></facility></data>"
        "<data><facilityRef id='f2' name='A_B'/>"
        "<instrument><name>one</name><facility ref='f2'/></instrument>"
        "<instrument><name>two</name><facility ref='Facility_name-A=5FB'/></instrument>"
        "<instrument><name>three</name><facility name='A_B'/></instrument></data></icatdata>"
    )

    with IcatSandbox(seed=dump) as icat:
        wire = wire_at(icat.url)
        query = "SELECT i.name FROM Instrument i WHERE i.facility.name = 'A_B' ORDER BY i.id"
        assert wire.values(wire.login(), query) == ["one", "two", "three"]


def test_a_unique_key_is_split_into_names_and_nested_keys() -> None:
    key = "investigation-(facility-(name-ESNF)_name-12100409=2DST_visitId-1=2E1=2DP)_name-e201215"

    assert list(unique_key(key)) == [
        ("investigation", "facility-(name-ESNF)_name-12100409=2DST_visitId-1=2E1=2DP"),
        ("name", "e201215"),
    ]
