"""The members of a bundle, in their order: each is checked before the next is looked at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

from attrs import frozen

from pacer_pacifica.bundles.errors import TarError
from pacer_pacifica.bundles.headers import BLOCK, next_header
from pacer_pacifica.bundles.names import components, shown
from pacer_pacifica.bundles.streams import BLOCK as READ
from pacer_pacifica.bundles.streams import Source

METADATA = "metadata.txt"
DATA = "data"


@frozen
class Member:
    """A regular file in a bundle.

    ``path`` is relative, in its normal form: ``data/a/b.txt``; ``offset`` is where its content begins in the
    bundle without compression, ``size`` its length in bytes.
    """

    path: str
    offset: int
    size: int


class Index:
    """What a bundle holds: the bytes of ``metadata.txt``, and the files under ``data/`` by their path."""

    def __init__(self) -> None:
        self.files: dict[str, Member] = {}
        self.metadata: bytes | None = None
        self._folders: set[str] = set()
        self._members = 0

    def add(self, path: list[str], *, is_file: bool, most: int) -> str:
        """Take note of a member; give its path in normal form.

        Raises
        ------
        TarError
            Where it is there already, clashes with another, or is one too many.
        """
        self._members += 1
        if self._members > most:
            raise TarError(f"the bundle has more than {most} members")
        name = "/".join(path)
        above = ["/".join(path[:depth]) for depth in range(1, len(path))]
        if name in self.files or (is_file and name == METADATA and self.metadata is not None):
            raise TarError(f"{shown(name)} is in the bundle twice")
        if any(one in self.files for one in above) or (is_file and name in self._folders):
            raise TarError(f"the bundle has a file and a folder of one name, at {shown(name)}")
        self._folders.update(above if is_file else (*above, name))
        if len(self.files) + len(self._folders) > most:
            raise TarError(f"the bundle has more than {most} files and folders")
        return name


def read_index(source: Source, tee: BinaryIO | None = None) -> Index:
    """Read a bundle from its first byte to its last, and give what it holds; content is passed over.

    To ``tee`` everything that is read is written as well: so a compressed bundle becomes a plain one.

    Raises
    ------
    TarError
        Where it is no whole tar archive, or has a member that we refuse.
    OSError
        What the drive says.
    """
    reader = source if tee is None else _Teed(source, tee)
    limits = source.limits
    index = Index()
    largest, longest = limits.bytes_of("max_file_size"), limits.bytes_of("max_metadata")
    while (header := next_header(reader)) is not None:
        try:
            parts = components(header.name)
        except ValueError as error:
            raise TarError(f"{shown(header.name)} in the bundle {error}") from None
        if header.kind == "folder":
            if parts:
                index.add(parts, is_file=False, most=limits.max_members)
            continue
        if not parts:
            raise TarError("a file in the bundle has no name")
        path = index.add(parts, is_file=True, most=limits.max_members)
        if header.size > (longest if path == METADATA else largest):
            raise TarError(f"{shown(path)} in the bundle has {header.size} bytes, more than is accepted")
        if path == METADATA:
            index.metadata = _whole(reader, header.size, path)
            continue
        index.files[path] = Member(path, reader.position, header.size)
        _pass_over(reader, header.size, path)
    return index


class _Teed(Source):
    """A source whose bytes are also written elsewhere."""

    def __init__(self, source: Source, tee: BinaryIO) -> None:
        self._source, self._tee = source, tee
        self.limits = source.limits
        self.position = 0

    def skip(self, size: int) -> int:
        left = size
        while left and (found := self.read(min(left, READ))):
            left -= len(found)
        return size - left

    def read(self, size: int) -> bytes:
        found = self._source.read(size)
        self._tee.write(found)
        self.position = self._source.position
        return found


def _whole(source: Source, size: int, path: str) -> bytes:
    found = source.read(size)
    if len(found) < size:
        raise TarError(f"the bundle ends within {shown(path)}: it was cut off on its way")
    _pad(source, size, path)
    return found


def _pass_over(source: Source, size: int, path: str) -> None:
    if source.skip(size) < size:
        raise TarError(f"the bundle ends within {shown(path)}: it was cut off on its way")
    _pad(source, size, path)


def _pad(source: Source, size: int, path: str) -> None:
    """Read what fills the last block of a member."""
    padding = -size % BLOCK
    if len(source.read(padding)) < padding:
        raise TarError(f"the bundle ends right behind {shown(path)}: it was cut off on its way")


def content_of(descriptor: int, member: Member) -> Iterator[bytes]:
    """Give the content of a member of a plain bundle; any number of threads may read at once.

    Raises
    ------
    OSError
        Where the bundle has become shorter, or the drive fails.
    """
    at, end = member.offset, member.offset + member.size
    while at < end:
        found = os.pread(descriptor, min(end - at, READ), at)
        if not found:
            raise OSError(f"the bundle ends within {shown(member.path)}, and did not when it was checked")
        at += len(found)
        yield found
