"""Pacifica's archive interface over HTTP: a file by its number.

It answers 500 for a file that is not there, so that a HEAD with 500 says "not there", and takes the same PUT
twice. What it has under a number is believed only once it has been read and hashed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Lock
from types import TracebackType

from attrs import evolve

from pacer_core import Retry
from pacer_http import Away, HttpClient, Stream
from pacer_pacifica.archive.base import Deposit, Note, Removal
from pacer_pacifica.archive.options import ArchiveOptions
from pacer_pacifica.archive.sources import blocks, check_named, is_below, opened
from pacer_pacifica.bundles.agreement import checked
from pacer_pacifica.bundles.errors import ContentError
from pacer_pacifica.bundles.names import shown

_SMALL = 256 * 1024
"""Bytes of a file that is sent from memory."""
_HELD = 4 * 1024 * 1024
"""Bytes of small files of a bundle that are kept from when they were hashed until they are sent."""
_SLOW = 0.02
"""Seconds: an archive that takes longer for a small file gets the next ones at once, by the threads.

To hand a file to a thread, and to hear that it has been sent, costs as much as to send it.
"""
_GLANCE = 1.0
"""Seconds between two looks at how far that is, and whether the job is still wanted."""
_AT_ONCE = 256
"""Files that are handed to the threads in one go."""
_NOT_THERE = (b"FileNotFoundError", b"No such file")
_FOUND, _MISSING = (200, 204), (404, 500)


class HttpArchive:
    """The archive interface; threads share it, and it has threads of its own, which `close` ends."""

    def __init__(self, http: HttpClient, options: ArchiveOptions) -> None:
        self._http, self._options = http, options
        self._pool = ThreadPoolExecutor(options.connections, thread_name_prefix="pacifica-archive")

    def __enter__(self) -> HttpArchive:
        """Give the archive."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End its threads."""
        self.close()

    def close(self) -> None:
        """End its threads; what they do now is done."""
        self._pool.shutdown()

    def check(self) -> None:
        """Ask for the archive's greeting."""
        self._http.request("GET", "/").entries()

    def has(self, number: int) -> bool:
        """Tell whether there is a file under a number already."""
        answer = self._http.request("HEAD", f"/{number}", expect=(*_FOUND, *_MISSING))
        return answer.status not in _MISSING

    def store(self, job_id: int, deposits: Sequence[Deposit], *, again: bool, note: Note) -> None:
        """Send files; their hashes are all checked before the first one is."""
        ready: list[Deposit] = []
        held = 0
        for deposit in deposits:
            content = checked(deposit.file, _content(deposit), lambda _: note(0))
            if deposit.size <= _SMALL and held + deposit.size <= _HELD:
                held += deposit.size
                ready.append(evolve(deposit, read=partial(_once, b"".join(content))))
                continue
            for _ in content:
                pass
            ready.append(deposit)

        def send(deposit: Deposit, progress: _Progress) -> None:
            if not (again and self._has(deposit)):
                self._put(deposit, progress)

        self._all(send, ready, note)

    def move(self, job_id: int, deposits: Sequence[Deposit], *, again: bool, note: Note) -> None:
        """Have the archive move files that it can reach, from the folders that the options name.

        What this host sees of them is compared before the first one is moved; the rest, where the options
        let it be moved, when the archive has it.
        """
        for deposit in deposits:
            check_named(_source(deposit), self._options.move_from)
        there = {one.id for one in deposits if again and self._length(one) is not None}
        compared = {one.id for one in deposits if one.id not in there and self._is_compared(one, note)}

        def move(deposit: Deposit, _: _Progress) -> None:
            if deposit.id not in there:
                self._patch(deposit)
            self._check_moved(deposit, is_compared=deposit.id in compared)

        self._all(move, deposits, note)

    def _is_compared(self, deposit: Deposit, note: Note) -> bool:
        """Compare a file that is still to be moved with what is declared, where this host sees it.

        Raises
        ------
        ContentError
            Where it is another one, or not there.
        Retry
            Where this host does not see its folder, and only what it sees may be moved.
        """
        source, roots = _source(deposit), self._options.move_from
        above = [str(Path(one)) for one in roots if is_below(source, str(Path(one)))]
        if not any(Path(one).is_dir() for one in above):
            if self._options.move_unseen:
                return False
            raise Retry(
                f"{above[0]} is not there on this host, where files are compared before they are moved: "
                "mount it under the same path, or set the archive's option 'moveUnseen'"
            )
        with opened(source, roots) as (descriptor, status):
            declared = deposit.file.size
            if declared is not None and status.st_size != declared:
                raise ContentError(_another_size(deposit, status.st_size))
            if self._options.verify_moves:
                for _ in checked(deposit.file, blocks(descriptor), lambda _: note(0)):
                    pass
        return True

    def remove(self, job_id: int, deposits: Sequence[Deposit]) -> Removal:
        """Delete files by their numbers."""
        there = [deposit for deposit in deposits if self._length(deposit) is not None]
        for deposit in there:
            self._http.request("DELETE", f"/{deposit.id}", expect=(200, 204, *_MISSING))
        left = sum(self._length(deposit) is not None for deposit in there)
        return Removal(len(there) - left, left)

    def folder_of(self, job_id: int) -> str:
        """Give a folder that is only a name: the archive interface knows files by their numbers."""
        return f"/pacifica/{job_id}"

    def _all(
        self, work: Callable[[Deposit, _Progress], None], deposits: Sequence[Deposit], note: Note
    ) -> None:
        """Do something with each file, several at once; after a failure nothing more is begun."""
        done = self._quickly(work, deposits, note)
        for start in range(done, len(deposits), _AT_ONCE):
            some = deposits[start : start + _AT_ONCE]
            progress = _Progress()
            self._at_once(work, some, progress, note)
            note(max(0, sum(deposit.size for deposit in some) - progress.told))

    def _quickly(
        self, work: Callable[[Deposit, _Progress], None], deposits: Sequence[Deposit], note: Note
    ) -> int:
        """Do something with the first small files, one by one, while that is quick; say how many."""
        progress, took = _Progress(), 0.0
        for number, deposit in enumerate(deposits):
            if deposit.size > _SMALL or took > _SLOW:
                return number
            began = time.monotonic()
            work(deposit, progress)
            took = time.monotonic() - began
            note(deposit.size)
        return len(deposits)

    def _at_once(
        self,
        work: Callable[[Deposit, _Progress], None],
        deposits: Sequence[Deposit],
        progress: _Progress,
        note: Note,
    ) -> None:
        """Do something with some files in the threads, and tell meanwhile how far that is."""
        futures = [self._pool.submit(work, deposit, progress) for deposit in deposits]
        try:
            while wait(futures, _GLANCE, FIRST_EXCEPTION).not_done:
                if any(future.done() and future.exception() for future in futures):
                    break
                note(progress.more())
        except BaseException:
            progress.is_wanted = False
            raise
        finally:
            for future in futures:
                future.cancel()
            wait(futures)
        for future in futures:
            if not future.cancelled():
                future.result()

    def _put(self, deposit: Deposit, progress: _Progress) -> None:
        modified = deposit.file.modified or datetime.now(UTC)
        body = b"".join(_content(deposit)) if deposit.size <= _SMALL else None
        self._http.request(
            "PUT",
            f"/{deposit.id}",
            body=Stream(lambda: progress.of(_content(deposit)), deposit.size) if body is None else body,
            headers={"Last-Modified": modified.ctime()},
        )

    def _patch(self, deposit: Deposit) -> None:
        answer = self._http.request(
            "PATCH", f"/{deposit.id}", json={"path": deposit.file.source}, expect=(200, 201, 204, 500)
        )
        if answer.status != 500 or self._length(deposit) is not None:
            return
        if any(words in answer.body for words in _NOT_THERE):
            raise ContentError(f"{shown(_source(deposit))} is not there, says the archive")
        raise Away(f"{answer.what} was answered with 500: look into the archive's log", answer)

    def _check_moved(self, deposit: Deposit, *, is_compared: bool) -> None:
        length, declared = self._length(deposit), deposit.file.size
        if length is None:
            raise Retry(f"the archive has no file {deposit.id} that it says it has moved")
        if declared is not None and length != declared:
            raise ContentError(_another_size(deposit, length))
        if self._options.verify_moves and not is_compared and not self._hash_fits(deposit):
            raise ContentError(
                f"{shown(_source(deposit))} has another {deposit.file.hash.type} than declared"
            )

    def _has(self, deposit: Deposit) -> bool:
        """Tell whether the archive has this very file under its number."""
        return self._length(deposit) == deposit.size and self._hash_fits(deposit)

    def _length(self, deposit: Deposit) -> int | None:
        """Give the length of what the archive has under a number, or ``None``; -1 where it does not say."""
        answer = self._http.request("HEAD", f"/{deposit.id}", expect=(*_FOUND, *_MISSING))
        if answer.status in _MISSING:
            return None
        said = answer.headers.get("x-content-length", "")
        return int(said) if said.isdigit() else -1

    def _hash_fits(self, deposit: Deposit) -> bool:
        expected = deposit.file.hash
        digest = expected.begun()
        self._http.request("GET", f"/{deposit.id}", headers={"Accept": "*/*"}, into=digest.update)
        return bool(digest.hexdigest() == expected.digest)


class _Progress:
    """How much of some files the threads have sent; they end where nobody wants that any more."""

    def __init__(self) -> None:
        self.is_wanted = True
        self.told = 0
        self._sent = 0
        self._lock = Lock()

    def of(self, content: Iterable[bytes]) -> Iterator[bytes]:
        """Give a content on, counted."""
        for block in content:
            if not self.is_wanted:
                raise InterruptedError("nobody wants this file any more")
            yield block
            with self._lock:
                self._sent += len(block)

    def more(self) -> int:
        """Give how much has been sent since this was asked last."""
        with self._lock:
            more, self.told = self._sent - self.told, self._sent
        return more


def _once(content: bytes) -> Iterable[bytes]:
    return (content,)


def _content(deposit: Deposit) -> Iterable[bytes]:
    assert deposit.read is not None, "only a move's files have no content here"  # noqa: S101
    return deposit.read()


def _another_size(deposit: Deposit, size: int) -> str:
    return f"{shown(_source(deposit))} has {size} bytes, and {deposit.file.size} are declared"


def _source(deposit: Deposit) -> str:
    assert deposit.file.source is not None, "only a bundle's files have no source"  # noqa: S101
    return deposit.file.source
