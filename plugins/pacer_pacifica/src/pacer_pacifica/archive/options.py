"""The YAML options of the integration ``pacifica-archive``."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from attrs import field, frozen, validators

from pacer_http import is_url


def _are_folders(_: Any, __: Any, paths: tuple[str, ...]) -> None:
    if any(not Path(path).is_absolute() for path in paths):
        raise ValueError("should be folders with their whole paths, from / on")


def _is_folder(_: Any, __: Any, path: str | None) -> None:
    if path is not None and (not Path(path).is_absolute() or Path(path) == Path("/")):
        raise ValueError("should be a folder with its whole path, from / on")


@frozen
class ArchiveOptions:
    """Where files go: one of ``url`` and ``folder``.

    Attributes
    ----------
    url
        The address of Pacifica's archive interface: ``http://archive.example.org:8080``.
    folder
        A folder of this machine's instead, on a file system with hard links.
    move_from
        The folders whose files may be moved into the archive; by default nothing may. For a ``url`` they are
        folders of the archive's host, which the consumer's host sees under the same paths.
    verify_moves
        Whether a file that is moved over HTTP is read once, for its hash, before it is moved.
    move_unseen
        Whether the archive may move files of folders that the consumer's host does not see. They are compared
        only when they have been moved: one that is not what is declared is in the archive by then.
    connections
        Files that are sent at once, over HTTP.
    timeout
        How long one answer may take, over HTTP.
    ca_file
        Certificates (PEM) to trust instead of the system's.
    """

    url: str | None = field(default=None, validator=validators.optional(is_url))
    folder: str | None = field(default=None, validator=_is_folder)
    move_from: tuple[str, ...] = field(default=(), validator=_are_folders)
    verify_moves: bool = True
    move_unseen: bool = False
    connections: int = field(default=4, validator=[validators.ge(1), validators.le(32)])
    timeout: timedelta = field(default=timedelta(minutes=5), validator=validators.gt(timedelta(0)))
    ca_file: str | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse two archives, or none."""
        if (self.url is None) == (self.folder is None):
            raise ValueError("needs either 'url', an archive interface, or 'folder', one of this machine")
        if self.folder is not None:
            kept = Path(self.folder)
            for path in map(Path, self.move_from):
                if kept.is_relative_to(path) or path.is_relative_to(kept):
                    raise ValueError(
                        f"would move files out of the archive itself: 'moveFrom' has {path}, and 'folder' is "
                        f"{kept}; name folders that lie beside each other"
                    )
