"""Rules for paths, and what the disks say of files; every message handled twice."""

from __future__ import annotations

import errno
import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pacer_core import Delivery, Outcome
from plugins.pacer_icat.tests.support import Send, dataset_message

MODIFIED = 1_750_000_000
CONTENT = b"seven b"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A root with a dataset of four files, one of them hidden, and a file elsewhere."""
    run = tmp_path / "data" / "run1"
    (run / "gallery").mkdir(parents=True)
    for name in ("a.h5", "b.h5", ".hidden", "gallery/view.png"):
        (run / name).write_bytes(CONTENT)
        os.utime(run / name, (MODIFIED, MODIFIED))
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_bytes(b"secret")
    return tmp_path / "data"


def message(data: Path, *files: str, **changes: Any) -> dict[str, Any]:
    """Give a message about the dataset."""
    return dataset_message(
        **{
            "location": f"{data}/run1",
            "datafiles": [{"location": f"{data}/run1/{name}"} for name in files] or None,
            **changes,
        }
    )


def fields(delivery: Delivery) -> list[tuple[str, str]]:
    """Give the bad fields of a dead message, with the last words of what is wrong."""
    assert delivery.outcome is Outcome.DEAD, delivery.error
    return [(bad.path, bad.message.rpartition(" ")[2]) for bad in delivery.bad_fields]


def files(plain: Any) -> dict[str, Any]:
    """Give the files in ICAT by name."""
    return {one.name: one for one in plain.search("SELECT f FROM Datafile f ORDER BY f.id")}


def test_paths_below_an_allowed_root_are_stored_as_they_were_sent(send: Send, plain: Any, data: Path) -> None:
    odd = f"{data}/run1/../run1/a.h5"
    sent = message(data, "b.h5") | {"datafiles": [{"location": odd}, {"location": f"{data}/run1/b.h5"}]}
    assert send(sent, allowed_roots=(str(data),), must_exist=True).outcome is Outcome.ACKED
    assert {one.location for one in files(plain).values()} == {odd, f"{data}/run1/b.h5"}


def test_paths_that_lead_out_of_the_allowed_roots_are_all_named(send: Send, plain: Any, data: Path) -> None:
    (data / "run1" / "link").symlink_to(data.parent / "secret" / "key")
    (data / "run1" / "folder").symlink_to(data.parent / "secret")
    delivery = send(
        message(data, "a.h5", "link", "folder/key", "../../secret/key", "/..", "folder/.."),
        allowed_roots=(str(data),),
    )
    assert fields(delivery) == [
        ("datafiles[1].location", "permits"),
        ("datafiles[2].location", "permits"),
        ("datafiles[3].location", "permits"),
        ("datafiles[5].location", "permits"),
    ]
    assert files(plain) == {}


@pytest.mark.parametrize("folder", ["/etc", "{data}/../secret", "{data}-not", "{data}/link", "relative/run1"])
def test_a_folder_outside_of_the_allowed_roots_is_refused(send: Send, data: Path, folder: str) -> None:
    (data / "link").symlink_to(data.parent / "secret")
    delivery = send(
        message(data, location=folder.format(data=data)), allowed_roots=(str(data), str(data / "more"))[:1]
    )
    assert [path for path, _ in fields(delivery)] == ["location"]


def test_a_root_that_is_itself_a_link_is_as_good_as_what_it_leads_to(send: Send, data: Path) -> None:
    mount = data.parent / "mount"
    mount.symlink_to(data)
    for root, sent in ((mount, data), (data, mount)):
        assert send(message(sent, "a.h5"), allowed_roots=(str(root),)).outcome is Outcome.ACKED


def test_a_root_that_is_not_mounted_makes_the_message_wait(send: Send, data: Path) -> None:
    delivery = send(message(data), allowed_roots=(str(data), "/nowhere/at-all"))
    assert delivery.outcome is Outcome.RETRIED
    assert "mount it, or correct allowedRoots" in (delivery.error or "")


def test_files_that_have_to_exist_are_named_where_they_do_not(send: Send, data: Path) -> None:
    delivery = send(message(data, "a.h5", "c.h5", "b.h5/x"), must_exist=True)
    assert fields(delivery) == [("datafiles[1].location", "reached"), ("datafiles[2].location", "reached")]
    assert fields(send(message(data, location="/nowhere/at-all"), must_exist=True)) == [
        ("location", "reached")
    ]


def test_files_may_be_named_relative_to_the_folder(send: Send, plain: Any, data: Path) -> None:
    sent = message(data) | {"datafiles": [{"location": "a.h5"}, {"location": "gallery/view.png"}]}
    assert send(sent, allowed_roots=(str(data),), must_exist=True, stat_files=True).outcome is Outcome.ACKED
    assert {name: one.fileSize for name, one in files(plain).items()} == {"a.h5": 7, "view.png": 7}


def test_a_folder_without_named_files_is_listed(send: Send, plain: Any, data: Path) -> None:
    assert send(message(data), list_files=True).outcome is Outcome.ACKED
    assert sorted(one.location for one in files(plain).values()) == [
        f"{data}/run1/{name}" for name in ("a.h5", "b.h5", "gallery/view.png")
    ]


def test_named_files_prevail_over_those_of_the_folder(send: Send, plain: Any, data: Path) -> None:
    assert send(message(data, "b.h5"), list_files=True).outcome is Outcome.ACKED
    assert list(files(plain)) == ["b.h5"]


def test_a_file_that_comes_later_is_added_by_the_next_message(send: Send, plain: Any, data: Path) -> None:
    send(message(data), list_files=True)
    (data / "run1" / "c.h5").write_bytes(b"")
    assert send(message(data), list_files=True).outcome is Outcome.ACKED
    assert sorted(files(plain)) == ["a.h5", "b.h5", "c.h5", "view.png"]


def test_a_listing_stops_at_the_limit(send: Send, plain: Any, data: Path) -> None:
    assert fields(send(message(data), list_files=True, max_datafiles=2)) == [("location", "accepted")]
    assert send(message(data), list_files=True, max_datafiles=3).outcome is Outcome.ACKED


def test_a_listing_follows_no_link_out_of_the_roots_and_none_to_folders(
    send: Send, plain: Any, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = data / "run1"
    (run / "inside").symlink_to(run / "a.h5")
    (run / "outside").symlink_to(data.parent / "secret" / "key")
    (run / "nowhere").symlink_to(data / "nothing")
    (run / "round").symlink_to(run)
    assert send(message(data), list_files=True, allowed_roots=(str(data),)).outcome is Outcome.ACKED
    assert sorted(files(plain)) == ["a.h5", "b.h5", "inside", "view.png"]
    assert "links out of the folders that allowedRoots permits are left out: 1" in caplog.text


def test_a_folder_that_cannot_be_listed_makes_the_message_wait(send: Send, data: Path) -> None:
    delivery = send(message(data, location=f"{data}/nothing"), list_files=True)
    assert delivery.outcome is Outcome.RETRIED
    assert "cannot be listed" in (delivery.error or "")


def test_an_empty_folder_is_a_dataset_without_files_unless_files_are_required(send: Send, data: Path) -> None:
    (data / "empty").mkdir()
    sent = message(data, location=f"{data}/empty")
    assert [path for path, _ in fields(send(sent, list_files=True, require_datafiles=True))] == ["datafiles"]
    assert send(sent, list_files=True).outcome is Outcome.ACKED


def test_sizes_and_times_come_from_the_disk_unless_the_message_has_a_size(
    send: Send, plain: Any, data: Path
) -> None:
    sent = message(data, "a.h5", "b.h5", "gone.h5")
    sent["datafiles"][1]["size"] = 3
    assert send(sent, stat_files=True).outcome is Outcome.ACKED
    found = files(plain)
    assert {name: one.fileSize for name, one in found.items()} == {"a.h5": 7, "b.h5": 3, "gone.h5": 0}
    assert found["a.h5"].datafileModTime == datetime.fromtimestamp(MODIFIED, UTC)
    assert found["a.h5"].datafileCreateTime == datetime.fromtimestamp(MODIFIED, UTC)
    assert found["gone.h5"].datafileModTime is None


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256"])
def test_checksums_are_those_of_the_content(send: Send, plain: Any, data: Path, algorithm: str) -> None:
    assert send(message(data, "a.h5"), checksums=algorithm).outcome is Outcome.ACKED
    assert files(plain)["a.h5"].checksum == hashlib.new(algorithm, CONTENT).hexdigest()


def test_a_file_that_cannot_be_read_for_its_checksum_makes_the_message_wait(
    send: Send, plain: Any, data: Path
) -> None:
    delivery = send(message(data, "gone.h5"), checksums="md5")
    assert delivery.outcome is Outcome.RETRIED
    assert "cannot be read for its checksum" in (delivery.error or "")
    assert files(plain) == {}


@pytest.mark.parametrize("code", [errno.ESTALE, errno.EIO, errno.ENOTCONN, errno.ETIMEDOUT, errno.EMFILE])
@pytest.mark.parametrize("option", ["must_exist", "stat_files"])
def test_a_drive_in_trouble_makes_the_message_wait(
    send: Send, plain: Any, data: Path, monkeypatch: pytest.MonkeyPatch, option: str, code: int
) -> None:
    real = os.open

    def stale(path: Any, flags: int, *more: Any, **others: Any) -> int:
        if str(path).endswith("b.h5"):
            raise OSError(code, os.strerror(code))
        return real(path, flags, *more, **others)

    monkeypatch.setattr("pacer_icat.disk.os.open", stale)
    delivery = send(message(data, "a.h5", "b.h5"), **{option: True})
    assert delivery.outcome is Outcome.RETRIED, delivery.error
    assert os.strerror(code) in (delivery.error or "")
    assert files(plain) == {}
    monkeypatch.undo()
    assert send(message(data, "a.h5", "b.h5"), **{option: True}).outcome is Outcome.ACKED
