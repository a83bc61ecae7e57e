"""PACER for folders: files that are put there become messages."""

from pacer_files.options import FilesOptions, WatchedFolder
from pacer_files.service import FILES

__all__ = ["FILES", "FilesOptions", "WatchedFolder"]
