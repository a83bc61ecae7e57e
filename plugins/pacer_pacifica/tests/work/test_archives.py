"""The archive in a folder, and that over HTTP, by themselves."""

from __future__ import annotations

import errno
import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path
from typing import Any

import pytest

from pacer_core import Retry
from pacer_pacifica.archive import PACIFICA_ARCHIVE, ArchiveOptions, Deposit, FolderArchive, http
from pacer_pacifica.archive.disk import exclusive
from pacer_pacifica.bundles.errors import ContentError
from pacer_pacifica.bundles.metadata import File
from pacer_pacifica.jobs import Over
from pacer_pacifica.testing import PacificaServices
from plugins.pacer_pacifica.tests.work.site import Site
from plugins.pacer_pacifica.tests.work.support import bundle


def deposit(number: int, content: bytes, path: str = "data/x", declared: bytes | None = None) -> Deposit:
    digest = hashlib.sha256(content if declared is None else declared).hexdigest()
    file = File({}, path, len(content), "sha256", digest)
    return Deposit(number, file, len(content), lambda: iter([content[:3], content[3:]]))


def ignore(_: int) -> None:
    pass


@pytest.fixture
def archive(tmp_path: Path) -> FolderArchive:
    return FolderArchive(tmp_path)


def store(archive: FolderArchive, job_id: int, *deposits: Deposit) -> None:
    archive.store(job_id, deposits, again=False, note=ignore)


def test_a_folder_of_another_job_database_is_not_taken_for_this_jobs(
    archive: FolderArchive, tmp_path: Path
) -> None:
    store(archive, 1, deposit(1, b"of the first database"))
    for other in (deposit(1, b"of the second"), deposit(1, b"of the first database", "data/y")):
        with pytest.raises(ContentError, match="has another job database used this archive"):
            store(archive, 1, other)
    assert (tmp_path / "jobs/1/x").read_bytes() == b"of the first database"


def test_one_file_that_is_not_what_is_declared_keeps_all_others_back(
    archive: FolderArchive, tmp_path: Path
) -> None:
    with pytest.raises(ContentError, match="has the sha256"):
        store(archive, 1, deposit(1, b"good", "data/a"), deposit(2, b"bad", "data/b", declared=b"other"))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_second_process_at_the_same_job_waits(archive: FolderArchive, tmp_path: Path) -> None:
    with exclusive(tmp_path / "staging", 1), pytest.raises(Retry, match="another process archives"):
        store(archive, 1, deposit(1, b"x"))
    store(archive, 1, deposit(1, b"x"))
    assert not list((tmp_path / "staging").iterdir())


def test_what_another_database_s_job_has_left_in_staging_is_not_taken_for_this_jobs(
    archive: FolderArchive, tmp_path: Path
) -> None:
    def died() -> Any:
        raise KeyboardInterrupt

    first = deposit(1, b"of the first database")
    with pytest.raises(KeyboardInterrupt):
        store(archive, 1, first, Deposit(2, first.file, 1, died))
    assert len(list((tmp_path / "staging/1").iterdir())) == 1
    store(archive, 1, deposit(1, b"of the second"), deposit(2, b"y", "data/y"))
    assert (tmp_path / "jobs/1/x").read_bytes() == b"of the second"


def test_what_is_in_staging_is_taken_up_by_the_next_try(archive: FolderArchive, tmp_path: Path) -> None:
    def away() -> Any:
        raise OSError(errno.EIO, "away")

    first, second = deposit(1, b"x"), deposit(2, b"y", "data/y")
    with pytest.raises(OSError, match="away"):
        store(archive, 1, first, Deposit(2, second.file, 1, away))
    store(archive, 1, Deposit(1, first.file, 1, away), second)
    assert (tmp_path / "jobs/1/x").read_bytes() == b"x"


def test_a_job_that_nobody_wants_any_more_leaves_nothing_in_staging(
    archive: FolderArchive, tmp_path: Path
) -> None:
    def cancelled(_: int) -> None:
        raise Over("job 1 is cancelled")

    with pytest.raises(Over):
        archive.store(1, [deposit(1, b"x")], again=False, note=cancelled)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_an_archive_that_is_not_mounted_is_waited_for_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(Retry, match="mount it"):
        store(FolderArchive(tmp_path / "away"), 1, deposit(1, b"x"))
    assert not (tmp_path / "away").exists()


def test_a_file_with_as_many_names_as_there_may_be_gets_content_of_its_own(
    archive: FolderArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(archive, 1, deposit(1, b"x"))
    link = Path.hardlink_to

    def full(self: Path, target: Path) -> None:
        if "objects" in Path(target).parts:
            raise OSError(errno.EMLINK, "Too many links")
        link(self, target)

    monkeypatch.setattr(Path, "hardlink_to", full)
    store(archive, 2, deposit(2, b"x"))
    assert (tmp_path / "jobs/2/x").read_bytes() == b"x"
    assert not (tmp_path / "jobs/2/x").samefile(tmp_path / "jobs/1/x")


def test_a_full_disk_delays_a_job_and_leaves_nothing_behind_when_there_is_room(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.archive_on_disk()
    job = site.upload(bundle())
    with monkeypatch.context() as full:

        def fsync(_: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        full.setattr("pacer_pacifica.archive.disk.os.fsync", fsync)
        delivery = site.work(job)
    assert site.jobs.get(job.id).waits_for == "a file cannot be read or written: No space left on device"
    site.work(job, after=delivery)
    assert site.jobs.get(job.id).status == "done"
    assert not list((site.archive / "staging").iterdir())


@pytest.mark.parametrize("given", [{}, {"url": "http://a.example.org", "folder": "/archive"}])
def test_there_is_one_archive(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="either 'url'"):
        ArchiveOptions(**given)


def test_what_is_under_a_number_already_is_believed_by_its_hash_alone(
    site: Site, pacifica: PacificaServices
) -> None:
    pacifica.archive |= {1: b"good!", 2: b"wrong", 3: b"short"}
    deposits = [deposit(1, b"good!"), deposit(2, b"right", "data/y"), deposit(3, b"longer", "data/z")]
    site.archive_over_http(connections=2)
    site.integrations[PACIFICA_ARCHIVE].store(7, deposits, again=True, note=ignore)
    assert pacifica.archive == {1: b"good!", 2: b"right", 3: b"longer"}
    assert pacifica.puts == {2: 1, 3: 1}


def test_a_large_file_goes_up_in_pieces(site: Site, pacifica: PacificaServices) -> None:
    content = bytes(range(256)) * 8192
    site.integrations[PACIFICA_ARCHIVE].store(1, [deposit(5, content)], again=False, note=ignore)
    assert pacifica.archive[5] == content
    (put,) = (request for request in pacifica.requests if request.method == "PUT")
    assert put.headers["content-length"] == str(len(content))
    assert "transfer-encoding" not in put.headers


@pytest.mark.parametrize("is_wanted", [True, False])
def test_a_large_file_says_on_its_way_how_far_it_is_and_is_given_up_where_nobody_wants_it(
    is_wanted: bool, site: Site, pacifica: PacificaServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks, passes, told = [b"x" * 300_000] * 4, [0], [0]
    heard, is_left = threading.Event(), threading.Event()

    def read() -> Iterator[bytes]:
        passes[0] += 1  # the first is for the hash
        yield blocks[0]
        if passes[0] == 2:
            yield blocks[1]
            assert (heard if is_wanted else is_left).wait(60)
            yield blocks[2]
        else:
            yield from blocks[1:3]
        yield blocks[3]

    def note(number: int) -> None:
        told[0] += number
        if number:
            heard.set()
            if not is_wanted:
                raise Over("job 1 is cancelled")

    def waiting(futures: Any, *rest: Any) -> Any:
        if not rest:
            is_left.set()
        return wait(futures, *rest)

    monkeypatch.setattr(http, "_GLANCE", 0.01)
    monkeypatch.setattr(http, "wait", waiting)
    file = File({}, "data/x", 1_200_000, "sha256", hashlib.sha256(b"".join(blocks)).hexdigest())
    archive = site.integrations[PACIFICA_ARCHIVE]
    if is_wanted:
        archive.store(1, [Deposit(5, file, 1_200_000, read)], again=False, note=note)
        assert (told, pacifica.archive[5]) == ([1_200_000], b"".join(blocks))
    else:
        with pytest.raises(Over):
            archive.store(1, [Deposit(5, file, 1_200_000, read)], again=False, note=note)
        assert len(pacifica.archive.get(5, b"")) < 1_200_000
