"""Files that are moved into an archive in a folder: nobody changes them there."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from pacer_pacifica.archive import ArchiveOptions, Deposit, FolderArchive
from pacer_pacifica.archive.sources import drop, opened
from pacer_pacifica.bundles.errors import ContentError
from pacer_pacifica.bundles.metadata import File


def moved(folder: Path, source: Path, content: bytes) -> Path:
    """Move a file into an archive; give where it is there."""
    folder.mkdir(exist_ok=True)
    file = File({}, "data/x", len(content), "sha256", hashlib.sha256(content).hexdigest(), source=str(source))
    archive = FolderArchive(folder, (str(source.parent),))
    archive.move(1, [Deposit(1, file, len(content))], again=False, note=lambda _: None)
    return folder / "jobs/1/x"


def test_a_file_that_has_another_name_is_copied_so_that_nobody_changes_it_there(tmp_path: Path) -> None:
    source = tmp_path / "beamline/x"
    source.parent.mkdir()
    source.write_bytes(b"content")
    (tmp_path / "mine").hardlink_to(source)
    kept = moved(tmp_path / "archive", source, b"content")
    (tmp_path / "mine").write_bytes(b"changed")
    assert kept.read_bytes() == b"content"
    assert not source.exists()


def test_a_file_of_somebody_else_is_copied_so_that_they_do_not_change_it_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "beamline/x"
    source.parent.mkdir()
    source.write_bytes(b"content")
    inode, us = source.stat().st_ino, os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: us + 1)
    assert moved(tmp_path / "archive", source, b"content").stat().st_ino != inode


def test_a_file_of_ours_is_not_copied(tmp_path: Path) -> None:
    source = tmp_path / "beamline/x"
    source.parent.mkdir()
    source.write_bytes(b"content")
    inode = source.stat().st_ino
    assert moved(tmp_path / "archive", source, b"content").stat().st_ino == inode


def test_a_folder_that_is_exchanged_does_not_lead_to_a_file_elsewhere(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine/run", tmp_path / "other"
    for folder in (mine, other):
        folder.mkdir(parents=True)
        (folder / "x").write_bytes(b"content")
    roots = (str(tmp_path / "mine"),)
    with opened(str(mine / "x"), roots) as (_, status):
        mine.rename(tmp_path / "mine/before")
        mine.symlink_to(other)
        drop(str(mine / "x"), status, roots)
        mine.unlink()
        mine.mkdir()
        (mine / "x").write_bytes(b"another")
        drop(str(mine / "x"), status, roots)
    assert [(folder / "x").exists() for folder in (mine, other)] == [True, True]
    drop(str(tmp_path / "mine/before/x"), status, roots)
    assert not (tmp_path / "mine/before/x").exists()


def test_a_path_that_no_file_can_have_fails_at_once(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path, number in ((f"{tmp_path}/loop", errno.ELOOP), (f"{tmp_path}/{'x' * 300}", errno.ENAMETOOLONG)):
        with pytest.raises(ContentError, match=os.strerror(number)), opened(path, (str(tmp_path),)):
            pass


@pytest.mark.parametrize("move_from", ["/data", "/data/archive", "/data/archive/jobs", "/"])
def test_the_archive_itself_is_nothing_to_move_from(move_from: str) -> None:
    given: dict[str, Any] = {"folder": "/data/archive", "move_from": ("/beamlines", move_from)}
    with pytest.raises(ValueError, match="out of the archive itself"):
        ArchiveOptions(**given)
    assert ArchiveOptions(folder="/data/archive", move_from=("/data/archives",)).move_from
