"""Folders as the service sees them, with a broker that a test stands for."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pacer_core import Publication, RefusedError, Stopping
from pacer_core.testing import FakeService
from pacer_files import FILES, FilesOptions, WatchedFolder

Make = Callable[..., FakeService]
NOW, LATER = timedelta(0), timedelta(minutes=10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to be watched."""
    path = tmp_path / "ingest"
    path.mkdir()
    return path


@pytest.fixture
def make(folder: Path, tmp_path: Path) -> Make:
    """Give the service on that folder."""

    def make(
        *, broker: Callable[[Publication], object] = lambda _: None, patterns: Any = None, **options: Any
    ) -> FakeService:
        more = {} if patterns is None else {"patterns": patterns}
        given = {"settle": NOW, "rescan": timedelta(seconds=0.1), **options}
        watched = WatchedFolder(str(folder), "datasets", **more)
        return FakeService(FILES, FilesOptions((watched,), **given), folder=tmp_path / "state", broker=broker)

    return make


def listed(folder: Path) -> list[str]:
    """Give all files below a folder, but the lock."""
    paths = (one.relative_to(folder) for one in folder.rglob("*") if not one.is_dir())
    return sorted(f"{one}" for one in paths if one.name != ".pacer-files.lock")


def test_a_file_is_sent_byte_for_byte_and_moved(folder: Path, make: Make) -> None:
    body = b'\xef\xbb\xbf<?xml version="1.0"?>\r\n<icatdata/>\0'
    (folder / "scan 1.xml").write_bytes(body)
    service = make()
    service.run(lambda: service.published)
    (sent,) = service.published
    assert (sent.to, sent.body, sent.content_type) == ("datasets", body, "application/xml")
    assert sent.headers == {"x-file-name": "scan 1.xml"}
    assert listed(folder) == ["done/scan 1.xml"]
    assert (folder / "done/scan 1.xml").read_bytes() == body
    assert service.counted == {"files": 1, "bytes": len(body)}
    assert service.is_ready


def test_nothing_that_is_made_is_for_everybody_to_write_whatever_the_umask(folder: Path, make: Make) -> None:
    before = os.umask(0)
    try:
        (folder / "a.json").touch(0o600)
        (folder / "a.json").write_text("{}")
        service = make()
        service.run(lambda: service.published)
    finally:
        os.umask(before)
    made = [one for one in folder.rglob("*") if one.stat().st_mode & 0o002]
    assert made == []


def test_a_file_may_be_removed_instead(folder: Path, make: Make) -> None:
    (folder / "a.json").write_text("{}")
    service = make(after="remove")
    service.run(lambda: service.published)
    assert listed(folder) == []
    assert service.published[0].content_type == "application/json"


def test_files_are_sent_in_the_order_in_which_they_were_written(folder: Path, make: Make) -> None:
    for name, when in (("b.xml", 5), ("a.xml", 7), ("d.xml", 5), ("c.xml", 1)):
        (folder / name).write_text(name)
        os.utime(folder / name, (when, when))
    service = make()
    service.run(lambda: len(service.published) == 4)
    assert [one.headers["x-file-name"] for one in service.published] == ["c.xml", "b.xml", "d.xml", "a.xml"]


@pytest.mark.parametrize(
    "name",
    [".scan.xml", "~scan.xml", "scan.xml~", "scan.xml.part", "scan.xml.tmp", "scan.xml.PART", "scan.txt"],
)
def test_a_file_that_is_hidden_temporary_or_of_no_pattern_is_left_alone(
    folder: Path, make: Make, name: str
) -> None:
    (folder / name).write_text("not yet")
    (folder / "z.xml").write_text("now")
    service = make(patterns=("*.xml", "*.xml*", "*scan*xml"))
    service.run(lambda: service.published)
    assert [one.body for one in service.published] == [b"now"]
    assert listed(folder) == sorted(["done/z.xml", name])


def test_only_regular_files_are_taken(folder: Path, make: Make, tmp_path: Path) -> None:
    secret = tmp_path / "secret.xml"
    secret.write_text("secret")
    (folder / "link.xml").symlink_to(secret)
    (folder / "dangling.xml").symlink_to(tmp_path / "nothing")
    os.mkfifo(folder / "pipe.xml")
    (folder / "folder.xml").mkdir()
    (folder / "z.xml").write_text("a file")
    service = make()
    service.run(lambda: service.published)
    assert [one.body for one in service.published] == [b"a file"]
    assert {"link.xml", "dangling.xml", "pipe.xml"} <= set(os.listdir(folder))


def test_a_name_that_is_there_already_gets_a_number(folder: Path, make: Make) -> None:
    service = make(rescan=timedelta(seconds=0.02))

    def again() -> bool:
        if not (folder / "scan.xml").exists() and not (folder / "taken/scan.xml").exists():
            (folder / "scan.xml").write_text(f"scan {len(service.published)}")
        return len(service.published) >= 3

    service.run(again)
    assert {"done/scan.xml", "done/scan.2.xml", "done/scan.3.xml"} <= set(listed(folder))
    assert len({one.message_id for one in service.published}) == len(service.published)


def test_a_name_of_255_bytes_is_moved_too(folder: Path, make: Make) -> None:
    names = ["x" * 251 + ".xml", "é" * 125 + ".xml"]
    for name in names:
        (folder / name).write_text("long")
    (folder / "done").mkdir()
    (folder / "done" / names[0]).write_text("of yesterday")
    service = make()
    service.run(lambda: len(service.published) == 2)
    assert [one.headers["x-file-name"] for one in service.published] == sorted(names)
    assert len(listed(folder)) == 3
    assert (folder / "done" / names[0]).read_text() == "of yesterday"


def test_a_name_that_is_no_text_is_spelled_out(folder: Path, make: Make) -> None:
    name = os.fsdecode(b"scan-\xff.xml")
    (folder / name).write_text("x")
    service = make()
    service.run(lambda: service.published)
    assert service.published[0].headers == {"x-file-name": r"scan-\xff.xml"}
    assert (folder / "done" / name).exists()


def test_the_same_file_sent_twice_has_one_id_and_another_one_has_another(folder: Path, make: Make) -> None:
    def put(text: str, when: int) -> None:
        (folder / "a.xml").write_text(text)
        os.utime(folder / "a.xml", (when, when))

    ids = []
    for text, when in (("one", 1), ("one", 1), ("one", 2), ("two", 1)):
        put(text, when)
        service = make()
        service.run(partial(getattr, service, "published"))
        ids.append(service.published[0].message_id)
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_a_file_that_is_too_large_is_set_aside_with_a_note(folder: Path, make: Make) -> None:
    (folder / "large.xml").write_bytes(b"x" * 1025)
    (folder / "z.xml").write_bytes(b"x" * 1024)
    service = make(max_size="1KiB")
    service.run(lambda: service.published)
    assert listed(folder) == ["done/z.xml", "failed/large.xml", "failed/large.xml.note"]
    note = (folder / "failed/large.xml.note").read_text()
    assert "large.xml was not sent: it has 1,025 bytes, more than the 1,024 bytes that maxSize (1KiB)" in note
    assert service.counted["failed"] == 1


def test_a_file_that_the_broker_refuses_is_set_aside_with_a_note(folder: Path, make: Make) -> None:
    def broker(message: Publication) -> None:
        if message.body == b"bad":
            raise RefusedError("it is larger than 3 bytes")

    (folder / "a.xml").write_bytes(b"bad")
    (folder / "b.xml").write_bytes(b"good")
    service = make(broker=broker)
    service.run(lambda: service.published)
    assert listed(folder) == ["done/b.xml", "failed/a.xml", "failed/a.xml.note"]
    assert "the broker does not take it: it is larger" in (folder / "failed/a.xml.note").read_text()


def test_a_file_that_is_still_written_to_is_not_taken(folder: Path, make: Make) -> None:
    service = make(settle=timedelta(seconds=1), rescan=timedelta(seconds=0.05))
    written = 0

    def write() -> bool:
        nonlocal written
        if written < 30:
            with (folder / "slow.xml").open("ab") as file:
                file.write(b"x" * 100)
            written += 1
            time.sleep(0.1)
        return bool(service.published)

    service.run(write, 60)
    assert [len(one.body) for one in service.published] == [3000]


def test_a_file_that_is_renamed_into_place_is_taken_at_once(folder: Path, make: Make, tmp_path: Path) -> None:
    service = make(settle=LATER, rescan=LATER)
    begun = False

    def put() -> bool:
        nonlocal begun
        if service.is_ready and not begun:
            begun = True
            (folder / ".new.part").write_text("from within")
            (folder / ".new.part").rename(folder / "within.xml")
            (tmp_path / "new").write_text("from without")
            (tmp_path / "new").rename(folder / "without.xml")
            (folder / "still.xml").write_text("written in place")
            (folder / "twice.xml").write_text("written in place")
        return len(service.published) == 2

    service.run(put)
    assert {one.body for one in service.published} == {b"from within", b"from without"}
    assert {"still.xml", "twice.xml"} <= set(os.listdir(folder))


def test_without_inotify_files_are_found_all_the_same(folder: Path, make: Make) -> None:
    service = make(inotify=False)
    names = [f"{number}.xml" for number in range(20)]

    def put() -> bool:
        if names:
            (folder / names.pop()).write_text("x")
        return len(service.published) == 20

    service.run(put)
    assert len(listed(folder)) == 20


def test_a_file_that_replaces_one_that_is_just_sent_is_sent_as_well(folder: Path, make: Make) -> None:
    def broker(message: Publication) -> None:
        if message.body == b"first":
            (folder / "new").write_text("second")
            (folder / "new").rename(folder / "a.xml")

    (folder / "a.xml").write_text("first")
    service = make(broker=broker)
    service.run(lambda: len(service.published) == 2)
    assert [one.body for one in service.published] == [b"first", b"second"]
    assert listed(folder) == ["done/a.2.xml", "done/a.xml"]


def test_what_is_written_to_a_file_after_it_was_sent_is_not_lost(folder: Path, make: Make) -> None:
    def broker(message: Publication) -> None:
        if message.body == b"half":
            with (folder / "taken/a.xml").open("a") as file:
                file.write(" and half")

    (folder / "a.xml").write_text("half")
    service = make(broker=broker)
    service.run(lambda: len(service.published) == 2)
    assert service.published[1].body == b"half and half"
    assert listed(folder) == ["done/a.xml"]


def test_a_service_that_stops_before_the_confirm_leaves_the_file_to_the_next_one(
    folder: Path, make: Make
) -> None:
    def broker(_: Publication) -> None:
        first.stop()
        raise Stopping("the broker is away")

    (folder / "a.xml").write_text("kept")
    first = make(broker=broker)
    first.run(first.stopping.is_set)
    assert listed(folder) == ["taken/a.xml"]
    second = make()
    second.run(lambda: second.published)
    assert listed(folder) == ["done/a.xml"]


def test_one_process_has_a_folder_and_another_takes_over(folder: Path, make: Make) -> None:
    slow = make(broker=lambda _: time.sleep(0.002))
    other = make()
    for number in range(100):
        (folder / f"{number:03}.xml").write_text(f"{number}")
    thread = threading.Thread(target=lambda: slow.run(lambda: len(slow.published) >= 50))
    thread.start()
    while not slow.published:
        time.sleep(0.005)
    other.run(lambda: len(slow.published) + len(other.published) >= 100)
    thread.join()
    bodies = [one.body for one in (*slow.published, *other.published)]
    assert sorted(map(int, bodies)) == list(range(100))
    assert len(listed(folder)) == 100


@pytest.mark.parametrize("after", ["move", "remove"])
def test_a_disk_that_is_full_loses_nothing_and_sends_nothing_twice(
    folder: Path, make: Make, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    full = threading.Event()
    (rename, unlink), allowed = (Path.rename, Path.unlink), folder / "taken/.published"

    def refuse(one: Path, other: Path | None = None) -> None:
        if full.is_set() and one.parent.is_relative_to(folder) and (other is None or other.parent != allowed):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def full_rename(one: Path, other: Path) -> Path:
        refuse(one, other)
        return rename(one, other)

    def full_unlink(one: Path, missing_ok: bool = False) -> None:
        refuse(one)
        unlink(one, missing_ok)

    monkeypatch.setattr(Path, "rename", full_rename)
    monkeypatch.setattr(Path, "unlink", full_unlink)
    monkeypatch.setattr("pacer_files.trouble._AGAIN", 0.1)
    for number in range(5):
        (folder / f"{number}.xml").write_text(f"{number}")
    first = make(broker=lambda one: full.set() if one.body == b"2" else None, after=after)
    first.run(lambda: any("No space left" in one for one in first.troubles))
    assert [one.body for one in first.published] == [b"0", b"1", b"2"]
    assert "taken/.published/2.xml" in listed(folder)
    second = make(after=after)

    def room() -> bool:
        if second.troubles:
            full.clear()
        return len(second.published) == 2

    second.run(room)
    assert [one.body for one in second.published] == [b"3", b"4"]
    assert listed(folder) == ([f"done/{number}.xml" for number in range(5)] if after == "move" else [])
    assert second.troubles[-1] == ""


def test_a_file_takes_no_place_of_one_that_is_sent_and_cannot_be_moved_away(
    folder: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, rename = threading.Event(), Path.rename

    def stuck_rename(one: Path, other: Path) -> Path:
        if stuck.is_set() and one.parent == folder / "taken":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return rename(one, other)

    monkeypatch.setattr(Path, "rename", stuck_rename)
    monkeypatch.setattr("pacer_files.trouble._AGAIN", 0.1)
    (folder / "a.xml").write_text("first")
    service = make(broker=lambda one: stuck.set() if one.body == b"first" else None)
    looks: list[int] = []

    def over() -> bool:
        if stuck.is_set() and service.troubles and not looks:
            (folder / "a.xml").write_text("second")
        looks.extend([1] if service.troubles else [])
        if len(looks) > 5:  # it was seen meanwhile
            stuck.clear()
        return len(service.published) == 2

    service.run(over)
    assert [one.body for one in service.published] == [b"first", b"second"]
    assert {path: (folder / path).read_text() for path in listed(folder)} == {
        "done/a.xml": "first",
        "done/a.2.xml": "second",
    }


def test_a_folder_that_is_gone_is_said_and_waited_for(folder: Path, make: Make) -> None:
    folder.rmdir()
    service = make(rescan=timedelta(seconds=0.05))

    def back() -> bool:
        if service.troubles and not folder.exists():
            folder.mkdir()
            (folder / "a.xml").write_text("back")
        return bool(service.published)

    service.run(back)
    assert service.troubles == [f"{folder}: No such file or directory: make it, or mount it", ""]


def test_a_folder_that_is_replaced_is_watched_on(folder: Path, make: Make, tmp_path: Path) -> None:
    (folder / "a.xml").write_text("before")
    service = make(rescan=timedelta(seconds=0.05))

    def replaced() -> bool:
        if service.published and not (tmp_path / "old").exists():
            folder.rename(tmp_path / "old")
            folder.mkdir()
            (folder / "b.xml").write_text("after")
        return len(service.published) == 2

    service.run(replaced)
    assert listed(folder) == ["done/b.xml"]


def test_several_folders_go_to_several_consumers(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        for number in range(120):
            (tmp_path / name / f"{number}.xml").write_text(name)
    options = FilesOptions(
        tuple(WatchedFolder(str(tmp_path / name), f"for-{name}") for name in ("one", "two")), settle=NOW
    )
    service = FakeService(FILES, options, folder=tmp_path / "state")
    service.run(lambda: len(service.published) == 240)
    assert {(one.to, one.body) for one in service.published} == {("for-one", b"one"), ("for-two", b"two")}
    assert {one.to for one in service.published[:150]} == {"for-one", "for-two"}


def test_check_says_what_is_wrong_with_the_folders(folder: Path, tmp_path: Path) -> None:
    def advices(path: Path) -> list[str]:
        assert FILES.check is not None
        return [one.advice for one in FILES.check(FilesOptions((WatchedFolder(str(path), "q"),)))]

    assert advices(folder) == [""]
    assert advices(tmp_path / "nothing") == ["make the folder, mount it, or correct its path"]
    (folder / "done").write_text("")
    assert advices(folder) == ["give it another name: PACER needs a folder there"]
    (folder / "done").unlink()
    assert list(folder.iterdir()) == []


def test_check_says_that_a_folder_cannot_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != folder)  # root may write everywhere
    assert FILES.check is not None
    (seen,) = FILES.check(FilesOptions((WatchedFolder(str(folder), "q"),)))
    assert seen.detail == f"{folder} cannot be read and written"
    assert seen.advice == "let the account that PACER runs as read and write there"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"folders": ()}, "names no folder"),
        ({"folders": (WatchedFolder("/a", "q"), WatchedFolder("/a/", "r"))}, "names a folder twice"),
        ({"max_size": "16 MB"}, "should be a size such as"),
        ({"max_size": "0"}, "should be a size such as"),
        ({"rescan": timedelta(0)}, "rescan"),
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        FilesOptions(**{"folders": (WatchedFolder("/a", "q"),), **wrong})


@pytest.mark.parametrize(
    ("path", "to", "patterns"),
    [("a", "q", ("*",)), ("/", "q", ("*",)), ("/a", "", ("*",)), ("/a", "q", ("b/*",))],
)
def test_a_folder_that_makes_no_sense_is_refused(path: str, to: str, patterns: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="should"):
        WatchedFolder(path, to, patterns)
