"""Archives, where files stay: Pacifica's archive interface over HTTP, or a folder of our own."""

from pacer_pacifica.archive.base import Archive, Deposit, Removal
from pacer_pacifica.archive.folder import FolderArchive
from pacer_pacifica.archive.http import HttpArchive
from pacer_pacifica.archive.integration import PACIFICA_ARCHIVE
from pacer_pacifica.archive.options import ArchiveOptions

__all__ = [
    "PACIFICA_ARCHIVE",
    "Archive",
    "ArchiveOptions",
    "Deposit",
    "FolderArchive",
    "HttpArchive",
    "Removal",
]
