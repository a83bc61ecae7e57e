"""Uploads that come in parts and can be resumed: what of one is there, and how it becomes a job.

Each has a file of its own below ``tus/`` that says whose it is and how long, and one for its bytes. The bytes
that are there are what was taken: a process that dies loses none that it has answered for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import orjson
from attrs import asdict, frozen

from pacer_core import NotYet, Reject, Retry
from pacer_pacifica.jobs import UPLOAD, Job, Outbox
from pacer_pacifica.service.making import Making
from pacer_pacifica.service.refusals import Refused
from pacer_pacifica.service.spool import BUNDLE, is_held, sync_folder

FOLDER = "tus"
_MOST = 10_000  # uploads that are begun, and not yet jobs
_MOST_OF_ONE = 1_000  # of one user
_YOUNG = 3600.0  # seconds for which half of an upload is left alone: it may just be begun


@frozen
class Begun:
    """An upload that was begun."""

    id: str
    user: str
    length: int
    metadata: str
    """What its client said of it, as it came."""
    created: datetime

    @property
    def name(self) -> str:
        """What its bundle is called in the spool."""
        return f"{self.id}{BUNDLE}"


class Resumable:
    """The resumable uploads of a spool. Everything here waits for the disk or the database."""

    def __init__(self, spool: Path, outbox: Outbox, making: Making, keep: timedelta) -> None:
        self._spool, self._outbox, self._making, self._keep = spool, outbox, making, keep
        self._folder = spool / FOLDER
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def expires(self, begun: Begun) -> datetime:
        """Give when an upload that is not complete is taken away."""
        return begun.created + self._keep

    def begin(self, user: str, length: int, metadata: str) -> Begun:
        """Begin an upload.

        Raises
        ------
        Refused
            429 where too many were begun and not finished, by all or by this user.
        """
        open_ = [path.stem for path in self._folder.glob("*.part")]
        if len(open_) >= _MOST or (len(open_) >= _MOST_OF_ONE and self._number(open_, user) >= _MOST_OF_ONE):
            raise Refused(429, "too many uploads were begun and not finished", retry_after=60)
        begun = Begun(uuid4().hex, user, length, metadata, datetime.now(UTC))
        self._bytes(begun).touch(0o600)
        note = self._note(begun.id)
        with open(note.with_suffix(".new"), "xb", opener=_private) as file:
            file.write(orjson.dumps(asdict(begun)))
            file.flush()
            os.fsync(file.fileno())
        note.with_suffix(".new").rename(note)
        sync_folder(self._folder)
        return begun

    def find(self, id_: str) -> Begun:
        """Give an upload that was begun.

        Raises
        ------
        Refused
            404 where there is none.
        """
        try:
            found = orjson.loads(self._note(id_).read_bytes())
            return Begun(**{**found, "created": datetime.fromisoformat(found["created"])})
        except FileNotFoundError:
            raise Refused(404, "this upload was never begun, or is over: begin another one") from None
        except (ValueError, TypeError, KeyError):
            raise Refused(404, "what was known of this upload cannot be read: begin another one") from None

    def offset(self, begun: Begun) -> tuple[int, Job | None]:
        """Give how many bytes of an upload are there, and its job where it has one.

        Raises
        ------
        Refused
            404 where its bytes are gone.
        """
        if (job := self._outbox.of([begun.name]).get(begun.name)) is not None:
            return begun.length, job
        with suppress(FileNotFoundError):
            there = self._bytes(begun).stat().st_size
            return (there, self.finish(begun)) if there >= begun.length else (there, None)
        if (self._spool / begun.name).exists():
            return begun.length, self.finish(begun)
        raise Refused(404, "what was there of this upload is gone: begin another one")

    @contextmanager
    def append(self, begun: Begun) -> Iterator[int]:
        """Open an upload's bytes, to write at their end; closed, and unlocked, at the end.

        Raises
        ------
        Refused
            423 where another request is writing it, 404 where it is gone.
        """
        try:
            file = os.open(self._bytes(begun), os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            raise Refused(404, "this upload is over") from None
        try:
            if is_held(file):
                raise Refused(423, "another request is sending this upload just now", retry_after=5)
            yield file
        finally:
            os.close(file)

    def finish(self, begun: Begun) -> Job | None:
        """Make a job of an upload that is all there; ``None`` where somebody else is just doing that."""
        for path in (self._bytes(begun), self._spool / begun.name):
            with suppress(FileNotFoundError):
                file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    return None if is_held(file) else self.complete(begun, file)
                finally:
                    os.close(file)
        return self._outbox.of([begun.name]).get(begun.name)

    def complete(self, begun: Begun, file: int) -> Job:
        """Make a job of an upload that is all there, in a file that this process has locked."""
        if (job := self._outbox.of([begun.name]).get(begun.name)) is not None:
            return job
        os.fsync(file)
        try:
            self._bytes(begun).rename(self._spool / begun.name)
        except FileNotFoundError:  # an earlier process came as far as this
            if not (self._spool / begun.name).exists():
                raise Refused(404, "this upload was given up meanwhile") from None
        sync_folder(self._spool)
        return self._making.job(UPLOAD, begun.user, begun.name, begun.length)

    def remove(self, begun: Begun) -> None:
        """Take an upload away; what is a job already stays one.

        Raises
        ------
        Refused
            423 where another request is writing it.
        """
        with suppress(FileNotFoundError):
            file = os.open(self._bytes(begun), os.O_RDONLY | os.O_CLOEXEC)
            try:
                if is_held(file):
                    raise Refused(423, "another request is sending this upload just now", retry_after=5)
                self._bytes(begun).unlink(missing_ok=True)
            finally:
                os.close(file)
        self._note(begun.id).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Finish what a process that died has left all there, and take away what has expired.

        What cannot be made a job of now, since the uniqueid service is away, is left to the next sweep.
        """
        now, every = datetime.now(UTC), self._all()
        jobs = self._outbox.of([begun.name for begun in every])
        for begun in every:
            with suppress(Refused, Retry, NotYet, Reject):
                if self.expires(begun) < now:
                    self.remove(begun)
                elif begun.name not in jobs:
                    self.offset(begun)
        self._sweep_halves({begun.id for begun in every})

    def names(self) -> set[str]:
        """Give the names in the spool that uploads have, or will have."""
        return {begun.name for begun in self._all()}

    def _sweep_halves(self, known: Collection[str]) -> None:
        """Take away what a process that died has left of an upload that it began, or took away."""
        young = time.time() - _YOUNG
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):
                if path.stem not in known and path.stat().st_mtime < young:
                    path.unlink()

    def _number(self, ids: Sequence[str], user: str) -> int:
        """Give how many of some uploads are a user's."""
        return sum(begun.user == user for begun in self._read(ids))

    def _all(self) -> Sequence[Begun]:
        return self._read([path.stem for path in self._folder.glob("*.json")])

    def _read(self, ids: Sequence[str]) -> Sequence[Begun]:
        found: list[Begun] = []
        for id_ in ids:
            with suppress(Refused):
                found.append(self.find(id_))
        return found

    def _note(self, id_: str) -> Path:
        if len(id_) != 32 or not set(id_) <= set("0123456789abcdef"):
            raise Refused(404, "this upload was never begun")
        return self._folder / f"{id_}.json"

    def _bytes(self, begun: Begun) -> Path:
        return self._folder / f"{begun.id}.part"


def _private(path: str, flags: int) -> int:
    """Open a file that names people."""
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
