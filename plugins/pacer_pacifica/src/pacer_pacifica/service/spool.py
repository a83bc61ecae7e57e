"""The spool: bodies are written there in bounded memory, and are there whole or not at all.

While a body comes in it is in ``incoming/``, locked by its process; then it is synced, renamed into the
spool, and stays locked until its job is in the database. So whatever is neither locked nor a job's was left
behind by a process that died, and is taken away.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TypeVar
from uuid import uuid4

from attrs import frozen

from pacer_core import PacerError
from pacer_pacifica.service.refusals import Refused

T = TypeVar("T")
INCOMING = "incoming"
BUNDLE, MOVES = ".bundle", ".moves"
_HELD = 32 * 1024 * 1024  # bytes that all uploads of a process together hold in memory, roughly
_BLOCK = 1024 * 1024  # bytes that one writes at once, where it is alone
_PIECES = 512  # parts that one write takes at most
_LOOK = 64 * 1024 * 1024  # bytes after which the disk's free room is looked at again
_LOOKING = threading.Lock()
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@frozen
class Room:
    """What a spool takes: bytes of one upload, bytes that stay free, uploads at once."""

    size: int
    free: int
    uploads: int


def make_spool(folder: Path) -> None:
    """Make the spool's folder in a folder that is there, readable by PACER's account alone.

    Nothing above it is made: a path with a mistake in it, or a disk that is not mounted, would be made as a
    new folder on the wrong disk, where no consumer looks for what is uploaded.

    Raises
    ------
    PacerError
        Where it cannot be made; says what to do.
    """
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except FileNotFoundError:
        above = next(one for one in folder.parents if one.is_dir())
        raise PacerError(
            f"there is no {folder.parent} for the spool {folder} to be made in, only {above}: "
            "correct 'spool', mount the disk, or make the folder"
        ) from None
    except FileExistsError:
        raise PacerError(f"the spool {folder} is no folder: correct 'spool'") from None
    except OSError as error:
        raise PacerError(f"the spool {folder} cannot be made: {error.strerror or error}") from None


class Spool:
    """A folder for uploads; one event loop uses it."""

    def __init__(self, folder: Path, room: Room) -> None:
        self.folder, self._room = folder, room
        self._incoming = folder / INCOMING
        self._incoming.mkdir(mode=0o700, exist_ok=True)
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="spool")
        self._active = 0
        self._expected = 0  # bytes that uploads have announced, and not written yet

    def close(self) -> None:
        """Wait for what is being written."""
        self._threads.shutdown()

    @property
    def block(self) -> int:
        """How many bytes an upload gathers before it writes them."""
        return max(64 * 1024, min(_BLOCK, _HELD // max(1, 2 * self._active)))

    def upload(self, ending: str, length: int | None, most: int | None = None) -> Upload:
        """Begin an upload; ``length`` is what it announces, ``most`` a limit below the spool's own.

        Raises
        ------
        Refused
            413 where it is too large, 507 where the disk has no room for it.
        """
        most = self._room.size if most is None else min(most, self._room.size)
        if length is not None and length > most:
            raise too_large(most)
        self.look(length or 0)
        return Upload(self, self._incoming / f"{uuid4().hex}{ending}", length, most)

    def look(self, wanted: int = 0) -> None:
        """Look whether the disk has room for so many bytes beside those of uploads under way.

        Raises
        ------
        Refused
            507 where it has not.
        """
        free = os.statvfs(self.folder)
        if free.f_bavail * free.f_frsize - self._expected - wanted < self._room.free:
            raise full()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Count an upload while it is under way.

        Raises
        ------
        Refused
            429 where there are too many.
        """
        if self._active >= self._room.uploads:
            raise Refused(429, "too many uploads at once: try again in a moment", retry_after=5)
        self._active += 1
        try:
            yield
        finally:
            self._active -= 1

    def expect(self, length: int) -> None:
        """Note bytes that are to come, or, below zero, have come or will not."""
        self._expected += length

    async def run(self, function: Callable[[], T]) -> T:
        """Run something that waits for the disk, or the database, in a thread."""
        with translated():
            return await asyncio.get_running_loop().run_in_executor(self._threads, function)

    async def run_to_its_end(self, function: Callable[[], T]) -> T:
        """Run something in a thread, and be there until it has ended, even where the request is cancelled.

        For what uses a file that is closed then: its number would be that of another one.
        """
        running = asyncio.ensure_future(self.run(function))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait([running])
            raise


class Writer:
    """Writes a body into an open file, in bounded memory: gathered, and then written in a thread."""

    def __init__(self, spool: Spool, file: int, announced: int | None, most: int) -> None:
        self.size = 0
        """The bytes that have come."""
        self._spool, self._file, self._most = spool, file, most
        self._left = announced or 0
        self._looked = 0
        self._chunks: list[bytes] = []
        self._held = 0
        self._writing: asyncio.Future[None] | None = None
        spool.expect(self._left)

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes; they are written when there are enough of them.

        Raises
        ------
        Refused
            413 where it gets too large, 507 where the disk is full.
        """
        self.size += len(chunk)
        if self.size > self._most:
            raise too_large(self._most)
        self._chunks.append(chunk)
        self._held += len(chunk)
        if self._held >= self._spool.block or len(self._chunks) >= _PIECES:
            await self._begin()

    async def rest(self) -> list[bytes]:
        """Wait until all is written but the last bytes, and give these, to be written by `write_all`."""
        await self._wait()
        chunks, self._chunks, self._held = self._chunks, [], 0
        self.expect_no_more()
        return chunks

    async def finish(self) -> None:
        """Have all bytes on the disk."""
        chunks, file = await self.rest(), self._file

        def write() -> None:
            write_all(file, chunks)
            os.fsync(file)

        await self._spool.run_to_its_end(write)

    async def close(self) -> None:
        """Wait for what is being written; whether that goes well is nobody's business any more."""
        self.expect_no_more()
        with suppress(Exception):
            await self._wait()

    def expect_no_more(self) -> None:
        """Let others have the room that was kept for this one."""
        self._spool.expect(-self._left)
        self._left = 0

    async def _begin(self) -> None:
        await self._wait()
        chunks, file = self._chunks, self._file
        self._spool.expect(-min(self._left, self._held))
        self._left -= min(self._left, self._held)
        self._looked += self._held
        self._chunks, self._held = [], 0
        if self._looked >= _LOOK:
            self._looked = 0
            self._spool.look()
        self._writing = asyncio.ensure_future(self._spool.run(lambda: write_all(file, chunks)))

    async def _wait(self) -> None:
        if self._writing is not None:
            await asyncio.shield(self._writing)  # a thread cannot be cancelled, and has the file
            self._writing = None


class Upload:
    """One body on its way into the spool: ``async with`` takes it away unless a job was made of it."""

    def __init__(self, spool: Spool, path: Path, announced: int | None, most: int) -> None:
        self._spool, self._path = spool, path
        self._announced, self._most = announced, most
        self._file = -1
        self._is_handed_over = False

    async def __aenter__(self) -> Upload:
        """Open its file."""
        self._file = await self._spool.run(lambda: _create(self._path))
        self._writer = Writer(self._spool, self._file, self._announced, self._most)
        self.write = self._writer.write
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close its file, and take it away where no job has it."""
        if self._is_handed_over:
            return
        try:
            await self._writer.close()
        finally:
            with suppress(OSError):
                self._path.unlink()
            os.close(self._file)  # and with it, the lock

    @property
    def size(self) -> int:
        """The bytes that have come."""
        return self._writer.size

    async def check(self, look: Callable[[bytes], object]) -> None:
        """Have all that has come looked at, in a thread; what ``look`` raises is raised.

        One is looked at after the other, so that only one at a time is in memory.
        """
        chunks, file, path = await self._writer.rest(), self._file, self._path

        def read() -> None:
            write_all(file, chunks)
            with _LOOKING:
                look(path.read_bytes())

        await self._spool.run_to_its_end(read)

    async def become(self, make_job: Callable[[str, int], T]) -> T:
        """Make a job of it: ``make_job(name, size)``, when it is on the disk, in a thread.

        Where that fails, the file stays: nobody knows whether the job is in the database. It is taken away
        later if it is not.

        Raises
        ------
        Refused
            507 where the disk is full.
        """
        chunks = await self._writer.rest()
        file, path, size, folder = self._file, self._path, self.size, self._spool.folder

        def finish() -> T:
            try:
                write_all(file, chunks)
                os.fsync(file)
                path.rename(folder / path.name)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
            else:
                sync_folder(folder)
                return make_job(path.name, size)
            finally:
                os.close(file)  # and with it, the lock

        self._is_handed_over = True
        return await asyncio.shield(self._spool.run(finish))


@contextmanager
def translated() -> Iterator[None]:
    """Raise a disk that is full as 507."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise full() from None
        raise


def full() -> Refused:
    """Give what is said where there is no room."""
    return Refused(
        507, "the spool has no room for this: try again when others have been archived", retry_after=60
    )


def too_large(most: int) -> Refused:
    """Give what is said of something too large."""
    return Refused(413, f"larger than the {most:,} bytes that are taken")


def sync_folder(folder: Path) -> None:
    """Have a folder's names on the disk."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def is_held(file: int) -> bool:
    """Lock an open file; say whether another process has it locked."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _create(path: Path) -> int:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    is_held(file)
    return file


def write_all(file: int, chunks: list[bytes]) -> None:
    """Write all of some bytes at the file's end."""
    left = [memoryview(chunk) for chunk in chunks]
    while left:
        written = os.writev(file, left)
        while left and written >= len(left[0]):
            written -= len(left.pop(0))
        if written:
            left[0] = left[0][written:]
