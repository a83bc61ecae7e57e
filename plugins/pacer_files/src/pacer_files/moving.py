"""Moving files away: what is published to ``done/``, what cannot be sent to ``failed/`` with a note."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pacer_core import ServiceContext
from pacer_files.names import DONE, FAILED, PUBLISHED, RIGHTS, TAKEN, Places, printable
from pacer_files.options import FilesOptions
from pacer_files.regular import files_in
from pacer_files.trouble import Trouble


class Away:
    """Where the files of a folder go when they leave ``taken/``."""

    def __init__(self, ctx: ServiceContext, folder: Path, trouble: Trouble) -> None:
        options: FilesOptions = ctx.options
        self._ctx, self._folder, self._trouble = ctx, folder, trouble
        self._removes = options.after == "remove"
        self._published = Places(folder / TAKEN / PUBLISHED)
        self._done, self._failed = Places(folder / DONE), Places(folder / FAILED)
        self._to_move: list[Path] = []
        """Files that are published, and could not be moved away."""

    def make(self) -> None:
        """Make the folders where they are missing."""
        for places in (self._published, self._failed, self._done):
            places.folder.mkdir(RIGHTS, exist_ok=True)

    def recover(self) -> None:
        """Take up what an earlier process has published, and not moved."""
        self._to_move = [one.path for one in files_in(self._published.folder)]

    def move(self, *published: Path) -> None:
        """Move what is published; what cannot be moved is marked, so that no other process sends it again."""
        waiting, self._to_move = [*self._to_move, *published], []
        for path in waiting:
            try:
                if self._removes:
                    path.unlink()
                else:
                    path.rename(self._done.free(path.name))
            except FileNotFoundError:
                continue
            except OSError as error:
                self._to_move.append(self._marked(path))
                self._trouble.hinder(error)

    def _marked(self, path: Path) -> Path:
        """Put a published file where it is known as such after a restart; a full disk has room for that."""
        if path.parent == self._published.folder:
            return path
        try:
            return path.rename(self._published.free(path.name))
        except OSError:
            return path

    def set_aside(self, path: Path, why: str) -> None:
        """Put a file that cannot be sent aside, with a note beside it that says why.

        Raises
        ------
        OSError
            Where it cannot be moved.
        """
        place = self._failed.free(path.name)
        path.rename(place)
        name = printable(path.name)
        self._ctx.count("failed")
        self._ctx.log.error("%s was not sent, and is now %s: %s", self._folder / name, place, why)
        note = (
            f"{name} was not sent: {why}\n{datetime.now(UTC).isoformat(timespec='seconds')}\n"
            f"Once that is mended, move it back into {self._folder}.\n"
        )
        try:
            place.with_name(f"{place.name}.note").write_text(note)
        except OSError as error:
            self._ctx.log.warning("no note could be left beside %s: %s", place, error.strerror)
