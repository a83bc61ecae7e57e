"""A bundle of a folder as a stream: its bytes are made when they are read, from any place on.

The tar is never on the disk: what a place in it holds follows from the names, sizes and times of the files.
So an upload that broke off goes on where it stopped, as long as no file has changed.
"""

from __future__ import annotations

import hashlib
import mimetypes
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from attrs import frozen

from pacer_core import PacerError

METADATA = "metadata.txt"
HASH = "sha256"
_BLOCK = 1024 * 1024
_RECORD = tarfile.RECORDSIZE


class ChangedError(PacerError):
    """A file has changed since it was looked at."""


@frozen
class Source:
    """A file of the folder, as it was looked at."""

    path: Path
    subdir: str
    size: int
    mtime_ns: int
    digest: str = ""

    @property
    def member(self) -> str:
        """Its name in the bundle."""
        return "/".join(one for one in ("data", self.subdir, self.path.name) if one)


@frozen
class Piece:
    """Some bytes of the bundle: given, or those of a file."""

    length: int
    data: bytes = b""
    source: Source | None = None


def sources_in(folder: Path) -> list[Source]:
    """Give all regular files of a folder and below it, in the order of their names; links are left out.

    Raises
    ------
    PacerError
        Where there is none.
    """
    found = []
    for root, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = Path(root, name)
            if path.is_symlink() or not path.is_file():
                continue
            seen, subdir = path.stat(), Path(root).relative_to(folder).as_posix()
            found.append(Source(path, "" if subdir == "." else subdir, seen.st_size, seen.st_mtime_ns))
    if not found:
        raise PacerError(f"{folder} has no files: nothing would be uploaded")
    return found


def digest_of(source: Source, seen: Callable[[int], object]) -> str:
    """Hash a file; ``seen`` is told of the bytes read."""
    hashed = hashlib.new(HASH)
    for block in _blocks(source, 0):
        hashed.update(block)
        seen(len(block))
    return hashed.hexdigest()


def metadata_of(sources: Iterable[Source], objects: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Give a bundle's metadata: ``objects`` of the uploader, and one for each file."""
    return [*(dict(one) for one in objects), *(_file(one) for one in sources)]


def pieces_of(sources: Iterable[Source], metadata: Any) -> list[Piece]:
    """Give what the bundle is made of, in order: metadata first, so that a reader knows what comes."""
    text = orjson.dumps(metadata)
    pieces = [*_member(METADATA, len(text), 0), Piece(len(text), text), *_padding(len(text))]
    for source in sources:
        pieces += _member(source.member, source.size, source.mtime_ns // 1_000_000_000)
        pieces += [Piece(source.size, source=source), *_padding(source.size)]
    there = sum(piece.length for piece in pieces) + 2 * tarfile.BLOCKSIZE
    end = 2 * tarfile.BLOCKSIZE + -there % _RECORD
    return [*pieces, Piece(end, bytes(end))]


def length_of(pieces: Iterable[Piece]) -> int:
    """Give the bytes of a bundle."""
    return sum(piece.length for piece in pieces)


def read(pieces: Iterable[Piece], start: int, length: int) -> Iterator[bytes]:
    """Give so many bytes of a bundle from a place on, block by block.

    Raises
    ------
    ChangedError
        Where a file is not what it was.
    """
    for piece in pieces:
        if start >= piece.length:
            start -= piece.length
            continue
        blocks = [piece.data[start:]] if piece.source is None else _blocks(piece.source, start)
        start = 0
        for block in blocks:
            yield block[:length]
            length -= min(length, len(block))
            if not length:
                return


def _member(name: str, size: int, mtime: int) -> list[Piece]:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, mtime, 0o644
    header = info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    return [Piece(len(header), header)]


def _padding(size: int) -> list[Piece]:
    left = -size % tarfile.BLOCKSIZE
    return [Piece(left, bytes(left))] if left else []


def _blocks(source: Source, start: int) -> Iterator[bytes]:
    changed = ChangedError(
        f"{source.path} has changed meanwhile: begin the upload again when it does not any more"
    )
    with open(source.path, "rb") as file:
        if _is_other(source, file.fileno()):
            raise changed
        file.seek(start)
        left = source.size - start
        while left:
            block = file.read(min(_BLOCK, left))
            if not block:
                raise changed
            left -= len(block)
            yield block
        if _is_other(source, file.fileno()):
            raise changed


def _is_other(source: Source, file: int) -> bool:
    seen = os.fstat(file)
    return (seen.st_size, seen.st_mtime_ns) != (source.size, source.mtime_ns)


def _file(source: Source) -> dict[str, Any]:
    time = datetime.fromtimestamp(source.mtime_ns / 1e9, UTC).isoformat(timespec="seconds")
    return {
        "destinationTable": "Files",
        "name": source.path.name,
        "subdir": f"data/{source.subdir}".rstrip("/"),
        "size": source.size,
        "hashtype": HASH,
        "hashsum": source.digest,
        "mimetype": mimetypes.guess_type(source.path.name)[0] or "application/octet-stream",
        "ctime": time,
        "mtime": time,
    }
