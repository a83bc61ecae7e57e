"""With the triggers that a site may install, the sandbox counts files; without them it does not."""

from pathlib import Path
from typing import Any

import pytest

from pacer_sandbox import IcatSandbox


@pytest.fixture
def facility(icat_client: Any) -> Any:
    """Two investigations to put datasets into."""
    return icat_client.search("SELECT i FROM Investigation i ORDER BY i.id LIMIT 0, 2")


def dataset(client: Any, investigation: Any, name: str = "d", **more: Any) -> Any:
    """Create a dataset with two files of 3 and 4 bytes."""
    (kind,) = client.search("SELECT t FROM DatasetType t ORDER BY t.id LIMIT 0, 1")
    made = client.new("Dataset", name=name, complete=False, investigation=investigation, type=kind, **more)
    for number in (3, 4):
        made.datafiles.append(client.new("Datafile", name=f"f{number}", fileSize=number))
    made.create()
    return made


def counts(client: Any, investigations: list[Any]) -> list[Any]:
    """Give the counts of all datasets, then of the investigations."""
    found = client.search("SELECT d.fileCount, d.fileSize FROM Dataset d ORDER BY d.id")
    for one in investigations:
        found += client.search(f"SELECT i.fileCount, i.fileSize FROM Investigation i WHERE i.id = {one.id}")
    return [tuple(one) for one in found]


def test_without_triggers_counts_are_what_was_sent(icat_client: Any, facility: list[Any]) -> None:
    dataset(icat_client, facility[0])
    dataset(icat_client, facility[0], "e", fileCount=5)
    assert counts(icat_client, facility) == [(0, 0), (5, 0), (0, 0), (0, 0)]


def test_with_triggers_they_follow_files_and_datasets(
    icat_server: IcatSandbox, icat_client: Any, facility: list[Any]
) -> None:
    icat_server.triggers = True
    made = dataset(icat_client, facility[0])
    assert counts(icat_client, facility) == [(2, 7), (2, 7), (0, 0)]
    (file,) = icat_client.search("SELECT f FROM Datafile f WHERE f.name = 'f3' INCLUDE f.dataset")
    file.fileSize = 10
    file.update()
    assert counts(icat_client, facility) == [(2, 14), (2, 14), (0, 0)]
    (moved,) = icat_client.search(f"SELECT d FROM Dataset d WHERE d.id = {made.id} INCLUDE 1")
    moved.investigation = facility[1]
    moved.update()
    assert counts(icat_client, facility) == [(2, 14), (0, 0), (2, 14)]
    icat_client.delete(file)
    assert counts(icat_client, facility) == [(1, 4), (0, 0), (1, 4)]
    icat_client.delete(moved)
    assert counts(icat_client, facility) == [(0, 0), (0, 0)]


def test_triggers_add_to_what_a_client_sends(
    icat_server: IcatSandbox, icat_client: Any, facility: list[Any]
) -> None:
    icat_server.triggers = True
    dataset(icat_client, facility[0], fileCount=2, fileSize=7)
    assert counts(icat_client, facility) == [(4, 14), (2, 7), (0, 0)]


def test_triggers_count_what_was_there_when_they_are_installed(
    icat_server: IcatSandbox, icat_client: Any, facility: list[Any]
) -> None:
    dataset(icat_client, facility[0])
    icat_server.triggers = True
    assert counts(icat_client, facility) == [(2, 7), (2, 7), (0, 0)]
    icat_server.triggers = False
    dataset(icat_client, facility[0], "e")
    assert counts(icat_client, facility) == [(2, 7), (0, 0), (2, 7), (0, 0)]


def test_a_data_file_keeps_its_triggers_until_told_otherwise(tmp_path: Path) -> None:
    for told, expected in ((True, True), (None, True), (False, False), (None, False)):
        with IcatSandbox(tmp_path / "data", "demo", triggers=told) as server:
            assert server.triggers is expected
