"""What Linux tells of a folder, by inotify(7).

Through libc, since what a library makes of it (watchfiles, for one) does not tell a file that was renamed
into place, and is complete, from one that was made there, and is about to be written.
"""

from __future__ import annotations

import ctypes
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from struct import Struct

_MODIFY, _ATTRIBUTES, _CLOSED = 0x2, 0x4, 0x8
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_UNMOUNT, _OVERFLOW, _IGNORED = 0x2000, 0x4000, 0x8000
_ONLY_FOLDERS = 0x01000000
_WATCHED = _MODIFY | _ATTRIBUTES | _CLOSED | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _ONLY_FOLDERS
_EVENT = Struct("iIII")  # watch, what, cookie, length of the name
_ROOM = 64 * 1024

MOVED, OTHERWISE = "moved", "otherwise"


class Watch:
    """Gathers what happens in a folder; `fileno` becomes readable when something has.

    It misses what happens on another host.

    Raises
    ------
    OSError
        Where the system watches no more folders, or not this one.
    """

    def __init__(self, folder: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._file: int = _right(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self.lost = False
        """Whether nothing is told any more: the folder is gone."""
        self.missed = False
        """Whether more has happened than the system keeps, so that the folder has to be looked through."""
        try:
            _right(libc.inotify_add_watch(self._file, os.fsencode(folder), _WATCHED))
        except OSError:
            self.close()
            raise

    def fileno(self) -> int:
        """Give the descriptor that becomes readable."""
        return self._file

    def news(self) -> Mapping[str, set[str]]:
        """Give what has happened to each name since the last time: `MOVED` there, or `OTHERWISE`."""
        news: defaultdict[str, set[str]] = defaultdict(set)
        for what, name in self._events():
            self.lost |= bool(what & (_IGNORED | _UNMOUNT))
            self.missed |= bool(what & _OVERFLOW)
            if name:
                news[name].add(MOVED if what & _MOVED_TO else OTHERWISE)
        return news

    def close(self) -> None:
        """Listen no more."""
        os.close(self._file)

    def _events(self) -> Iterator[tuple[int, str]]:
        while True:
            try:
                data = os.read(self._file, _ROOM)
            except BlockingIOError:
                return
            at = 0
            while at < len(data):
                _, what, _, length = _EVENT.unpack_from(data, at)
                at += _EVENT.size + length
                yield what, os.fsdecode(data[at - length : at].rstrip(b"\0"))


def _right(answer: int) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer
