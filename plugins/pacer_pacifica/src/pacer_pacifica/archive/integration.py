"""The integration ``pacifica-archive``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pacer_core import IntegrationType
from pacer_http import HttpClient, is_away
from pacer_pacifica.archive.base import Archive
from pacer_pacifica.archive.folder import FolderArchive
from pacer_pacifica.archive.http import HttpArchive
from pacer_pacifica.archive.options import ArchiveOptions


@contextmanager
def open_archive(options: ArchiveOptions) -> Iterator[Archive]:
    """Give the archive of a process; nothing is asked of it until a task does."""
    if options.folder is not None:
        yield FolderArchive(Path(options.folder), options.move_from)
        return
    assert options.url is not None, "one of both is there"  # noqa: S101 - of the type checker's
    with (
        HttpClient("the archive", options.url, timeout=options.timeout, ca_file=options.ca_file) as http,
        HttpArchive(http, options) as archive,
    ):
        yield archive


PACIFICA_ARCHIVE: IntegrationType[Archive] = IntegrationType(
    name="pacifica-archive",
    options=ArchiveOptions,
    open=open_archive,
    check=lambda archive: archive.check(),
    is_away=is_away,
)
"""``ctx[PACIFICA_ARCHIVE]`` is the process's `Archive`."""
