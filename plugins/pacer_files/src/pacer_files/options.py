"""The YAML options of the service ``files``."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from attrs import field, frozen, validators

_SIZE = re.compile(r"(\d+)\s*(B|KiB|MiB|GiB)?")
_UNITS = {None: 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def size(text: str) -> int | None:
    """Read a size such as ``512KiB`` or ``16MiB`` in bytes; ``None`` where it is none."""
    match = _SIZE.fullmatch(text.strip())
    return int(match[1]) * _UNITS[match[2]] if match else None


def _is_size(_: Any, __: Any, text: str) -> None:
    if not size(text):
        raise ValueError("should be a size such as 512KiB, 16MiB or 1GiB")


def _is_folder(_: Any, __: Any, path: str) -> None:
    if not Path(path).is_absolute() or Path(path) == Path("/"):
        raise ValueError("should be a folder with its whole path, from / on")


def _is_name(_: Any, __: Any, name: str) -> None:
    if not name:
        raise ValueError("should name a consumer or a queue")


def _are_patterns(_: Any, __: Any, patterns: tuple[str, ...]) -> None:
    if not patterns or any(not one or "/" in one for one in patterns):
        raise ValueError("should be patterns of names such as '*.xml', without a folder")


def _differ(_: Any, __: Any, folders: tuple[WatchedFolder, ...]) -> None:
    if not folders:
        raise ValueError("names no folder: nothing would be watched")
    paths = [Path(one.path) for one in folders]
    if len(set(paths)) < len(paths):
        raise ValueError("names a folder twice: give all its patterns in one place")


@frozen
class WatchedFolder:
    """A folder, and where its files go.

    Attributes
    ----------
    path
        The folder, from ``/`` on; it has to be there. Its subfolders are not watched.
    to
        The consumer, or the queue, that its files are for.
    patterns
        Which files are taken: patterns of names (``*``, ``?``, ``[...]``), of which one has to match.
    """

    path: str = field(validator=_is_folder)
    to: str = field(validator=_is_name)
    patterns: tuple[str, ...] = field(default=("*.xml", "*.json"), validator=_are_patterns)


@frozen
class FilesOptions:
    """Folders that are watched for files, each of which becomes a message.

    Attributes
    ----------
    folders
        The folders.
    settle
        For how long a file must not have changed before it is taken. One that is renamed into place is taken
        at once, where the folder is on a local disk.
    rescan
        How often the folders are looked through, for what the system does not tell of: network drives.
    inotify
        Whether the system is asked to tell of new files; with ``false``, they are looked for alone.
    after
        What becomes of a file that the broker has confirmed: ``move`` puts it into ``done`` in its folder,
        ``remove`` deletes it.
    max_size
        How large a file may be; a larger one is put into ``failed``. The broker has a limit as well: 16 MiB
        at RabbitMQ 4, by default.
    """

    folders: tuple[WatchedFolder, ...] = field(validator=_differ)
    settle: timedelta = timedelta(seconds=2)
    rescan: timedelta = field(default=timedelta(seconds=30), validator=validators.gt(timedelta(0)))
    inotify: bool = True
    after: Literal["move", "remove"] = "move"
    max_size: str = field(default="16MiB", validator=_is_size)
