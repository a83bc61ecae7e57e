"""One watched folder: each of its files is claimed, published, and then moved away.

A file is claimed by a rename into ``taken/``, so that whatever appears under its name meanwhile is another
one. It leaves ``taken/`` when the broker has confirmed it, and not before: what is there after a crash is
sent again.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from attrs import define

from pacer_core import RefusedError, ServiceContext
from pacer_files.names import Places, content_type, is_wanted, printable
from pacer_files.options import FilesOptions, WatchedFolder, size
from pacer_files.sightings import Sightings, Signature, signature
from pacer_files.watch import Watch

NAME_HEADER = "x-file-name"
TAKEN, DONE, FAILED, PUBLISHED = "taken", "done", "failed", "published"
LOCK = ".pacer-files.lock"
_AGAIN = 5.0  # seconds before what the system refused is tried again
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


@define
class _Held:
    """A file in ``taken/`` that is to be sent when it has stayed as it is for so long."""

    signature: Signature
    due: float


class Folder:
    """A watched folder, from the moment on that this process has its lock."""

    def __init__(self, ctx: ServiceContext, watched: WatchedFolder) -> None:
        options: FilesOptions = ctx.options
        self._ctx, self._options, self._watched = ctx, options, watched
        self.path = Path(watched.path)
        self._most = size(options.max_size) or 0
        self._settle = options.settle.total_seconds()
        self._rescan = options.rescan.total_seconds()
        self._taken, self._published = self.path / TAKEN, self.path / TAKEN / PUBLISHED
        self._marked_ones = Places(self._published)
        self._done, self._failed = Places(self.path / DONE), Places(self.path / FAILED)
        self.trouble = ""
        """What keeps its files from being taken, and what to do."""
        self._lock: int | None = None
        self._watch: Watch | None = None
        self._sightings = Sightings(self._settle)
        self._held: dict[str, _Held] = {}
        self._to_move: list[Path] = []
        """Files that are published, and could not be moved away."""
        self._next = 0.0
        """When to look through it again."""
        self._said: set[str] = set()

    # --- looking ---------------------------------------------------------------------------------

    def look(self) -> None:
        """Take note of what is new; what the system refuses is said, and tried again."""
        now = time.monotonic()
        try:
            if now >= self._next or (self._watch is not None and self._watch.missed):
                self._next = now + min(self._rescan, _AGAIN)
                if not self._enter():
                    return
                self._next = now + self._rescan
                self._scan(now)
            elif self._watch is not None and self._lock is not None:
                for name, told in self._watch.news().items():
                    self._look_at(name, now, told)
            if self._lock is not None:
                for name in self._sightings.due(now):
                    self._confirm(name, now)
        except OSError as error:
            self._hinder(error)

    def wait(self) -> float:
        """Give the seconds until there is something to do, if nothing is told before."""
        now = time.monotonic()
        if self._lock is None:
            return max(0.0, self._next - now)
        waits = [self._next - now, *(one.due - now for one in self._held.values())]
        if (complete := self._sightings.wait(now)) is not None:
            waits.append(complete)
        return max(0.0, min(waits))

    @property
    def told_by(self) -> int | None:
        """The descriptor that becomes readable when the system tells of something, or ``None``."""
        return None if self._watch is None else self._watch.fileno()

    def close(self) -> None:
        """Leave the folder to others."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _enter(self) -> bool:
        """Have the folder, and its subfolders; say whether this process has it."""
        if self._lock is not None and not self._still_there():
            self.close()
        if self._lock is None:
            self._lock = self._locked()
            if self._lock is None:
                return False
            for folder in (self._taken, self._published, self._failed.folder, self._done.folder):
                folder.mkdir(exist_ok=True)
            self._recover()
        self._listen()  # from before the look on, so that nothing falls in between
        self.trouble = ""
        self._move_away()
        return True

    def _listen(self) -> None:
        """Have the system tell what happens in the folder, where it does."""
        if self._watch is not None and (self._watch.lost or self._watch.missed):
            self._watch.close()
            self._watch = None
        if self._watch is None and self._options.inotify:
            try:
                self._watch = Watch(self.path)
            except OSError as error:
                self._once(
                    "watch", "the system does not tell of %s, which is looked through: %s", self.path, error
                )

    def _still_there(self) -> bool:
        """Say whether the folder is the one that is locked: it may have been removed, or mounted over."""
        try:
            return os.path.samestat(os.fstat(self._lock or 0), os.stat(self.path / LOCK))
        except OSError:
            return False

    def _locked(self) -> int | None:
        """Give the folder's lock; ``None`` where another process has it."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        lock = os.open(self.path / LOCK, flags, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                os.close(lock)
                if not isinstance(error, BlockingIOError):
                    raise
                self._once("lock", "%s is watched by another process; this one stands by", self.path)
                return None
            self._once("locks", "%s has no locks: see that one process alone watches it", self.path)
        self._said.discard("lock")
        self._ctx.log.info("watching %s for %s", self.path, self._watched.to)
        return lock

    def _recover(self) -> None:
        """Take up what an earlier process has left: what was published is moved, all else is sent."""
        self._sightings, self._held = Sightings(self._settle), {}
        self._to_move = [one.path for one in _files(self._published)]
        for one in _files(self._taken):
            self._held[one.name] = _Held(signature(one.stat), 0.0)

    def _scan(self, now: float) -> None:
        news = self._watch.news() if self._watch is not None else {}
        there = {one.name: one for one in _files(self.path, self._odd) if self._wants(one.name)}
        self._sightings.forget_others(there)
        for name, one in there.items():
            self._sightings.see(name, one.stat, now, news.get(name, ()))

    def _look_at(self, name: str, now: float, told: set[str]) -> None:
        if not self._wants(name):
            return
        found = _regular(self.path / name)
        if found is None:
            self._sightings.forget(name)
        else:
            self._sightings.see(name, found, now, told)

    def _confirm(self, name: str, now: float) -> None:
        found = _regular(self.path / name)
        if found is None:
            self._sightings.forget(name)
        else:
            self._sightings.confirm(name, found, now)

    def _wants(self, name: str) -> bool:
        return is_wanted(name, self._watched.patterns)

    def _odd(self, name: str) -> None:
        """Say once of a link, a pipe or a device that it is left where it is."""
        if self._wants(name):
            self._once(f"odd {name}", "%s is no regular file, and left alone", self.path / printable(name))

    # --- taking ----------------------------------------------------------------------------------

    def take(self) -> bool:
        """Send one file; say whether there was any.

        Raises
        ------
        Stopping
            Where PACER stops before it is confirmed; it is sent when PACER runs again.
        """
        if self._lock is None:
            return False
        now = time.monotonic()
        for name, held in sorted(self._held.items(), key=lambda one: (one[1].signature[3], one[0])):
            if held.due <= now:
                self._send(name)
                return True
        complete = self._sightings.next()
        if complete is None:
            return False
        if complete.name in self._held:  # an earlier file of this name is not away yet
            return False  # the next look finds it again
        try:
            (self.path / complete.name).rename(self._taken / complete.name)
        except FileNotFoundError:
            return True  # somebody else took it
        except OSError as error:
            self._hinder(error)
            return False
        self._held[complete.name] = _Held(complete.signature, now)
        self._send(complete.name)
        return True

    def _send(self, name: str) -> None:
        path, held = self._taken / name, self._held[name]
        try:
            body, found = self._read(path)
        except FileNotFoundError:
            del self._held[name]
            self._ctx.log.warning("%s was taken away before it was sent", path)
            return
        except PermissionError:
            self._fail(name, "it may not be read by the account that PACER runs as")
            return
        except OSError as error:
            held.due = time.monotonic() + _AGAIN
            if error.errno == errno.ELOOP:
                self._fail(name, "it is no regular file")
            else:
                self._hinder(error)
            return
        if not stat.S_ISREG(found.st_mode):
            self._fail(name, "it is no regular file")
        elif signature(found) != held.signature:
            self._wait_for(name, found)
        elif body is None:
            limit = f"{self._most:,} bytes that maxSize ({self._options.max_size}) allows"
            self._fail(name, f"it has {found.st_size:,} bytes, more than the {limit}")
        else:
            self._publish(name, body, found)

    def _read(self, path: Path) -> tuple[bytes | None, os.stat_result]:
        """Give what is in a file, ``None`` where that is too much, and what it looked like afterwards."""
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb", buffering=0) as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_size > self._most:
                return None, found
            body = bytearray()
            while part := file.read(self._most + 1 - len(body)):
                body += part
            return bytes(body), os.fstat(descriptor)

    def _publish(self, name: str, body: bytes, found: os.stat_result) -> None:
        try:
            self._ctx.publish(
                self._watched.to,
                body,
                {NAME_HEADER: printable(name)},
                content_type=content_type(name),
                message_id=_identity(self.path / name, found.st_mtime_ns, body),
            )
        except RefusedError as error:
            self._fail(name, f"the broker does not take it: {error}")
            return
        self._ctx.count("bytes", len(body))
        now = _regular(self._taken / name)
        if now is not None and signature(now) != signature(found):
            self._ctx.log.warning("%s was changed after it was sent, and is sent again", self.path / name)
            self._wait_for(name, now)
            return
        del self._held[name]
        self._ctx.count("files")
        self._ctx.log.debug("%s is sent", self.path / name)
        self._to_move.append(self._taken / name)
        self._move_away()

    def _wait_for(self, name: str, found: os.stat_result) -> None:
        """Leave a file that is still written to until it stays as it is."""
        self._held[name] = _Held(signature(found), time.monotonic() + max(self._settle, 0.1))

    # --- moving away -----------------------------------------------------------------------------

    def _move_away(self) -> None:
        """Move what is published; what cannot be moved is marked, so that no other process sends it again."""
        waiting, self._to_move = self._to_move, []
        for path in waiting:
            try:
                if self._options.after == "remove":
                    path.unlink()
                else:
                    path.rename(self._done.free(path.name))
            except FileNotFoundError:
                continue
            except OSError as error:
                self._to_move.append(self._marked(path))
                self._hinder(error)

    def _marked(self, path: Path) -> Path:
        """Put a published file where it is known as such after a restart; a full disk has room for that."""
        if path.parent == self._published:
            return path
        try:
            return path.rename(self._marked_ones.free(path.name))
        except OSError:
            return path

    def _fail(self, name: str, why: str) -> None:
        """Put a file that cannot be sent aside, with a note beside it that says why."""
        place = self._failed.free(name)
        try:
            (self._taken / name).rename(place)
        except OSError as error:
            self._held[name].due = time.monotonic() + _AGAIN
            self._hinder(error)
            return
        del self._held[name]
        self._ctx.count("failed")
        self._ctx.log.error("%s was not sent, and is now %s: %s", self.path / printable(name), place, why)
        note = (
            f"{printable(name)} was not sent: {why}\n{datetime.now(UTC).isoformat(timespec='seconds')}\n"
            f"Once that is mended, move it back into {self.path}.\n"
        )
        try:
            place.with_name(f"{place.name}.note").write_text(note)
        except OSError as error:
            self._ctx.log.warning("no note could be left beside %s: %s", place, error.strerror)

    # --- saying ----------------------------------------------------------------------------------

    def _hinder(self, error: OSError) -> None:
        what = error.strerror or type(error).__name__
        advice = {
            errno.ENOENT: "make it, or mount it",
            errno.EACCES: "let the account that PACER runs as write there",
            errno.EPERM: "let the account that PACER runs as write there",
            errno.EROFS: "let the account that PACER runs as write there",
            errno.ENOSPC: "make room on its disk",
            errno.EDQUOT: "make room on its disk",
        }.get(error.errno or 0, "look at the disk, or the server that it is on")
        self.trouble = f"{self.path}: {what}: {advice}"
        self._next = min(self._next, time.monotonic() + _AGAIN)

    def _once(self, key: str, text: str, *values: object) -> None:
        if key not in self._said:
            self._said.add(key)
            self._ctx.log.warning(text, *values)


@define
class _File:
    path: Path
    stat: os.stat_result

    @property
    def name(self) -> str:
        return self.path.name


def _files(folder: Path, odd: Callable[[str], None] = lambda _: None) -> Iterator[_File]:
    """Give the regular files of a folder, and name what is neither that nor a folder."""
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISREG(found.st_mode):
                yield _File(folder / entry.name, found)
            elif not stat.S_ISDIR(found.st_mode):
                odd(entry.name)


def _regular(path: Path) -> os.stat_result | None:
    """Give what a regular file looks like; ``None`` where there is none."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _identity(path: Path, changed: int, body: bytes) -> str:
    """Give the message id of a file: the same again where the same file is sent twice."""
    seen = hashlib.sha256(os.fsencode(path) + b"\0%d\0" % changed)
    seen.update(body)
    return seen.hexdigest()[:32]
