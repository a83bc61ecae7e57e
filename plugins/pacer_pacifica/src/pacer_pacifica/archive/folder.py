"""An archive in a folder: content by its SHA-256, and a folder for each job, of hard links.

::

    objects/ab/cd/abcd...    content, once, read-only
    jobs/17/a/b.txt          the files of job 17, the same content by hard links
    staging/17/              what is not whole yet

A job's folder appears at once, with all its files on disk: it is renamed into place when each of them was
written, hashed and synced. Whatever a crash leaves in ``staging`` is taken up by the next try.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from pacer_core import Retry
from pacer_pacifica.archive.base import Deposit, Note, Removal
from pacer_pacifica.archive.disk import (
    exclusive,
    fsync_folder,
    hash_of,
    linked,
    make_folder,
    write_file,
)
from pacer_pacifica.archive.sources import blocks, drop, opened
from pacer_pacifica.bundles.agreement import checked
from pacer_pacifica.bundles.errors import ContentError
from pacer_pacifica.bundles.names import shown
from pacer_pacifica.jobs import Over


class FolderArchive:
    """The archive in a folder; threads and processes share it."""

    def __init__(self, folder: Path, move_from: Sequence[str] = ()) -> None:
        self._objects, self._jobs, self._staging = (folder / name for name in ("objects", "jobs", "staging"))
        self._folder, self._move_from = folder, tuple(move_from)

    def check(self) -> None:
        """Look whether the folder is there and can be written to.

        Raises
        ------
        Retry
            Where it is not.
        """
        if not self._folder.is_dir() or not os.access(self._folder, os.R_OK | os.W_OK | os.X_OK):
            raise Retry(f"the archive {self._folder} is not there, or cannot be written: make or mount it")

    def has(self, number: int) -> bool:
        """Tell nothing: a job's files are in a folder of its own."""
        return False

    def store(self, job_id: int, deposits: Sequence[Deposit], *, again: bool, note: Note) -> None:
        """Write files into staging, and promote them once all of them are what is declared."""

        def stage(deposit: Deposit, folder: Path) -> None:
            assert deposit.read is not None, "only a move's files have no content here"  # noqa: S101
            digest = hashlib.sha256()
            path = folder / f"{deposit.id}.part"
            content = _noting(checked(deposit.file, deposit.read(), note), digest.update)
            write_file(path, content, deposit.file.modified)
            path.rename(folder / f"{deposit.id}.{digest.hexdigest()}")

        self._deposit(job_id, deposits, stage, note)

    def move(self, job_id: int, deposits: Sequence[Deposit], *, again: bool, note: Note) -> None:
        """Take files over from the folders that the options name; their old names go at the end."""

        def stage(deposit: Deposit, folder: Path) -> None:
            digest = self._hashed(deposit, note)
            path = folder / f"{deposit.id}.part"
            path.unlink(missing_ok=True)
            with opened(_source(deposit), self._move_from) as (descriptor, _):
                if not linked(descriptor, path):
                    copied = hashlib.sha256()
                    write_file(path, _noting(blocks(descriptor), copied.update), deposit.file.modified)
                    if copied.hexdigest() != digest:
                        raise ContentError(f"{shown(_source(deposit))} is being written to: move it later")
            path.rename(folder / f"{deposit.id}.{digest}")

        self._deposit(job_id, deposits, stage, note)
        for deposit in deposits:
            self._drop_source(job_id, deposit)

    def remove(self, job_id: int, deposits: Sequence[Deposit]) -> Removal:
        """Remove a job's folder, and the content that no other job has."""
        self.check()
        with exclusive(self._staging, job_id):
            tree, going = self._jobs / str(job_id), self._staging / f"{job_id}.going"
            if tree.is_dir():
                tree.rename(going)
            removed = left = 0
            for path in _files_below(going):
                content = self._object(hash_of(path))
                path.unlink()
                try:
                    if content.stat().st_nlink == 1:
                        content.unlink()
                        removed += 1
                    else:
                        left += 1
                except FileNotFoundError:
                    removed += 1
            for folder in (going, self._staging / str(job_id)):
                shutil.rmtree(folder, ignore_errors=True)
            return Removal(removed, left)

    def folder_of(self, job_id: int) -> str:
        """Give the folder of a job's files."""
        return str(self._jobs / str(job_id))

    def _deposit(
        self,
        job_id: int,
        deposits: Sequence[Deposit],
        stage: Callable[[Deposit, Path], None],
        note: Note,
    ) -> None:
        self.check()
        for folder in (self._objects, self._jobs, self._staging):
            make_folder(folder)
        with exclusive(self._staging, job_id):
            if (self._jobs / str(job_id)).is_dir():
                self._check_shown(self._jobs / str(job_id), deposits)
                note(sum(deposit.size for deposit in deposits))
                shutil.rmtree(self._staging / str(job_id), ignore_errors=True)
                return
            folder = make_folder(self._staging / str(job_id))
            try:
                staged = self._stage(deposits, folder, stage, note)
            except (ContentError, Over):
                shutil.rmtree(folder, ignore_errors=True)
                raise
            self._promote(job_id, deposits, folder, staged)

    def _check_shown(self, tree: Path, deposits: Sequence[Deposit]) -> None:
        """Check that a folder that is there already is this very job's.

        Raises
        ------
        ContentError
            Where it has other files: two job databases must not share an archive.
        """
        for deposit in deposits:
            path = tree / deposit.file.below_data
            try:
                with path.open("rb") as file:
                    for _ in checked(deposit.file, blocks(file.fileno())):
                        pass
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ContentError):
                raise ContentError(
                    f"{tree} is there, and is another job's: has another job database used this archive?"
                ) from None

    def _stage(
        self,
        deposits: Sequence[Deposit],
        folder: Path,
        stage: Callable[[Deposit, Path], None],
        note: Note,
    ) -> dict[int, Path]:
        """Bring every file into staging; what an earlier try has brought is read, and stays if it is this."""
        staged = _staged(folder)
        for deposit in deposits:
            there = staged.get(deposit.id)
            if there is None or not _is_whole(there, deposit, note):
                if there is not None:
                    there.unlink()
                stage(deposit, folder)
        fsync_folder(folder)
        return _staged(folder)

    def _promote(
        self, job_id: int, deposits: Sequence[Deposit], folder: Path, staged: dict[int, Path]
    ) -> None:
        """Give content its place by its hash, make the job's folder of links to it, and show that."""
        tree = folder / "tree"
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir()
        touched = {tree}
        for deposit in deposits:
            content, place = staged[deposit.id], tree / deposit.file.below_data
            place.parent.mkdir(parents=True, exist_ok=True)
            touched.update(one for one in place.parents if tree in one.parents)
            target = self._object(content.name.partition(".")[2])
            make_folder(target.parent)
            self._link(content, target, place)
            touched.add(target.parent)
        for one in touched:
            fsync_folder(one)
        tree.rename(self._jobs / str(job_id))
        fsync_folder(self._jobs)
        shutil.rmtree(folder, ignore_errors=True)

    def _link(self, content: Path, target: Path, place: Path) -> None:
        """Link content into the objects, unless they have it, and from there into the job's folder."""
        while True:
            with suppress(FileExistsError):  # the same content, of another file or job
                target.hardlink_to(content)
            try:
                place.hardlink_to(target)
                return
            except FileNotFoundError:
                continue  # a job that failed has taken it away in between
            except OSError as error:
                if error.errno != errno.EMLINK:
                    raise
                place.hardlink_to(content)  # as many names as a file may have: this one has its own content
                return

    def _object(self, digest: str) -> Path:
        return self._objects / digest[:2] / digest[2:4] / digest

    def _hashed(self, deposit: Deposit, note: Note) -> str:
        """Give the SHA-256 of a source, whose size and declared hash are checked."""
        digest = hashlib.sha256()
        with opened(_source(deposit), self._move_from) as (descriptor, status):
            declared = deposit.file.size
            if declared is not None and declared != status.st_size:
                raise ContentError(
                    f"{shown(_source(deposit))} has {status.st_size} bytes, and {declared} are declared"
                )
            for _ in _noting(checked(deposit.file, blocks(descriptor), note), digest.update):
                pass
        return digest.hexdigest()

    def _drop_source(self, job_id: int, deposit: Deposit) -> None:
        """Take the old name of a file away, where it is still the file that is in the archive now."""
        source, kept = _source(deposit), self._jobs / str(job_id) / deposit.file.below_data
        try:
            with opened(source, self._move_from) as (descriptor, status):
                same = os.path.samestat(status, kept.stat())
                if not same and status.st_size == kept.stat().st_size:
                    digest = hashlib.sha256()
                    for block in blocks(descriptor):
                        digest.update(block)
                    same = digest.hexdigest() == hash_of(kept)
                if same:
                    drop(source, status, self._move_from)
        except ContentError:
            return  # moved already


def _is_whole(path: Path, deposit: Deposit, note: Note) -> bool:
    """Tell whether a file in staging is what is declared: another database's job may have left it."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for block in checked(deposit.file, blocks(file.fileno()), note):
                digest.update(block)
    except ContentError:
        return False
    return digest.hexdigest() == path.name.partition(".")[2]


def _staged(folder: Path) -> dict[int, Path]:
    """Give what is whole in staging, by the number of its file."""
    found = {}
    for path in folder.iterdir():
        number, _, digest = path.name.partition(".")
        if number.isdigit() and len(digest) == hashlib.sha256().digest_size * 2:
            found[int(number)] = path
    return found


def _files_below(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder):
        yield from (Path(root, name) for name in names)


def _noting(content: Iterable[bytes], note: Callable[[bytes], object]) -> Iterator[bytes]:
    for block in content:
        note(block)
        yield block


def _source(deposit: Deposit) -> str:
    assert deposit.file.source is not None, "only a bundle's files have no source"  # noqa: S101
    return deposit.file.source
