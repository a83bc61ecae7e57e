"""Taking files: each is claimed by a rename into ``taken/``, and sent.

Whatever appears under its name meanwhile is another one. It leaves ``taken/`` when the broker has confirmed
it, and not before: what is there after a crash is sent again.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from pathlib import Path

from attrs import define

from pacer_core import RefusedError, ServiceContext
from pacer_files.moving import Away
from pacer_files.names import RIGHTS, TAKEN, content_type, printable
from pacer_files.options import FilesOptions, WatchedFolder, size
from pacer_files.regular import files_in, read, stat_of
from pacer_files.sightings import Complete, Signature, signature
from pacer_files.trouble import Trouble

NAME_HEADER = "x-file-name"


@define
class _Held:
    """A file in ``taken/`` that is to be sent when it has stayed as it is for so long."""

    signature: Signature
    due: float


class Taken:
    """The files of a folder that are taken, and not yet sent."""

    def __init__(self, ctx: ServiceContext, watched: WatchedFolder, trouble: Trouble, away: Away) -> None:
        options: FilesOptions = ctx.options
        self._ctx, self._to, self._trouble, self._away = ctx, watched.to, trouble, away
        self._watched = Path(watched.path)
        self._folder = self._watched / TAKEN
        self._max_size, self._most = options.max_size, size(options.max_size) or 0
        self._settle = options.settle.total_seconds()
        self._held: dict[str, _Held] = {}

    def has(self, name: str) -> bool:
        """Say whether a file of that name is there: to be sent, or sent and not to be moved away just now."""
        return os.path.lexists(self._folder / name)

    @property
    def due(self) -> list[float]:
        """When its files are to be sent."""
        return [one.due for one in self._held.values()]

    def make(self) -> None:
        """Make the folder where it is missing."""
        self._folder.mkdir(RIGHTS, exist_ok=True)

    def recover(self) -> None:
        """Take up what an earlier process has left, and is to be sent."""
        self._held = {one.name: _Held(signature(one.stat), 0.0) for one in files_in(self._folder)}

    def send_one(self, now: float) -> bool:
        """Send the oldest file whose time has come; say whether there is one."""
        for name, held in sorted(self._held.items(), key=lambda one: (one[1].signature[3], one[0])):
            if held.due <= now:
                self._send(name)
                return True
        return False

    def claim(self, complete: Complete, now: float) -> bool:
        """Take a file, and send it; say whether there may be more."""
        try:
            (self._watched / complete.name).rename(self._folder / complete.name)
        except FileNotFoundError:
            return True  # somebody else took it
        except OSError as error:
            self._trouble.hinder(error)
            return False
        self._held[complete.name] = _Held(complete.signature, now)
        self._send(complete.name)
        return True

    def _send(self, name: str) -> None:
        path, held = self._folder / name, self._held[name]
        try:
            body, found = read(path, self._most)
        except FileNotFoundError:
            del self._held[name]
            self._ctx.log.warning("%s was taken away before it was sent", path)
            return
        except PermissionError:
            self._fail(name, "it may not be read by the account that PACER runs as")
            return
        except OSError as error:
            if error.errno == errno.ELOOP:
                self._fail(name, "it is no regular file")
            else:
                held.due = self._trouble.hinder(error)
            return
        if not stat.S_ISREG(found.st_mode):
            self._fail(name, "it is no regular file")
        elif signature(found) != held.signature:
            self._wait_for(name, found)
        elif body is None:
            limit = f"{self._most:,} bytes that maxSize ({self._max_size}) allows"
            self._fail(name, f"it has {found.st_size:,} bytes, more than the {limit}")
        else:
            self._publish(name, body, found)

    def _publish(self, name: str, body: bytes, found: os.stat_result) -> None:
        origin = self._watched / name
        try:
            self._ctx.publish(
                self._to,
                body,
                {NAME_HEADER: printable(name)},
                content_type=content_type(name),
                message_id=_identity(origin, found.st_mtime_ns, body),
            )
        except RefusedError as error:
            self._fail(name, f"the broker does not take it: {error}")
            return
        self._ctx.count("bytes", len(body))
        now = stat_of(self._folder / name)
        if now is not None and signature(now) != signature(found):
            self._ctx.log.warning("%s was changed after it was sent, and is sent again", origin)
            self._wait_for(name, now)
            return
        del self._held[name]
        self._ctx.count("files")
        self._ctx.log.debug("%s is sent", origin)
        self._away.move(self._folder / name)

    def _wait_for(self, name: str, found: os.stat_result) -> None:
        """Leave a file that is still written to until it stays as it is."""
        self._held[name] = _Held(signature(found), time.monotonic() + max(self._settle, 0.1))

    def _fail(self, name: str, why: str) -> None:
        try:
            self._away.set_aside(self._folder / name, why)
        except OSError as error:
            self._held[name].due = self._trouble.hinder(error)
        else:
            del self._held[name]


def _identity(path: Path, changed: int, body: bytes) -> str:
    """Give the message id of a file: the same again where the same file is sent twice."""
    seen = hashlib.sha256(os.fsencode(path) + b"\0%d\0" % changed)
    seen.update(body)
    return seen.hexdigest()[:32]
