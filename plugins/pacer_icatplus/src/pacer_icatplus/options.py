"""The YAML options of the integration ``icatPlus``."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from attrs import field, frozen, validators

from pacer_core import Secret
from pacer_http import is_url

IMAGES = (
    *(".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tiff", ".tif", ".webp", ".svg", ".ico", ".heic", ".heif"),
    *(".cr2", ".nef", ".arw", ".dng"),  # of cameras
)


def _are_roots(_: Any, __: Any, roots: tuple[str, ...]) -> None:
    if not roots:
        raise ValueError("names no folder: nothing could be uploaded")
    for root in roots:
        if not Path(root).is_absolute() or Path(root) == Path("/"):
            raise ValueError("names something other than folders, from / on and below it")


def _is_folder(_: Any, __: Any, name: str) -> None:
    if not name or Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError("is no folder below the dataset's own")


def _are_endings(_: Any, __: Any, endings: tuple[str, ...]) -> None:
    if not endings or not all(one.startswith(".") for one in endings):
        raise ValueError("holds something other than endings such as .png")


@frozen
class IcatPlusOptions:
    """An ICAT+ server, and which files may go there.

    Attributes
    ----------
    url
        The server (``https://icatplus.example.org``).
    api_key
        The key for data acquisition. It travels in the path of each request, as ICAT+ wants it, and is hidden
        in whatever PACER writes.
    allowed_roots
        Folders below which a file has to lie to be uploaded, wherever links in its path lead.
    gallery_folder
        Where the images of a dataset are, below its location, when the message does not name them.
    endings
        Endings of files that are images, in whatever case.
    max_file_size
        Bytes that a file may have.
    timeout
        How long an answer may take.
    ca_file
        A file of certificates (PEM) to trust instead of the system's.
    """

    url: str = field(validator=is_url)
    api_key: Secret
    allowed_roots: tuple[str, ...] = field(validator=_are_roots)
    gallery_folder: str = field(default="gallery", validator=_is_folder)
    endings: tuple[str, ...] = field(default=IMAGES, validator=_are_endings)
    max_file_size: int = field(default=10 * 1024 * 1024, validator=validators.ge(1))
    timeout: timedelta = field(default=timedelta(minutes=1), validator=validators.gt(timedelta(0)))
    ca_file: str | None = None
