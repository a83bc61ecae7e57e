"""What a message names in the spool, opened and read: all that the tasks of a job act on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from attrs import frozen

from pacer_core import Retry
from pacer_pacifica.archive import Deposit
from pacer_pacifica.archive.disk import fsync_folder
from pacer_pacifica.bundles.errors import MetadataError, TarError
from pacer_pacifica.bundles.limits import Limits
from pacer_pacifica.bundles.members import Index, content_of, read_index
from pacer_pacifica.bundles.metadata import Metadata, read_metadata
from pacer_pacifica.bundles.streams import compression_of, opened
from pacer_pacifica.work.places import Message, place_of, plain_of
from pacer_pacifica.work.recent import Recent

_BUFFER = 64 * 1024
_SMALL = 500
"""Files of a bundle that is held for a moment, once it has been read."""


@frozen
class Upload:
    """A bundle that has been read: a plain tar in the spool, and what it holds."""

    path: Path
    index: Index

    @contextmanager
    def contents(self, metadata: Metadata, first: int) -> Iterator[list[Deposit]]:
        """Give the declared files as an archive takes them, numbered from ``first`` on.

        Raises
        ------
        OSError
            What the drive says.
        """
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            members = [self.index.files[file.path] for file in metadata.files]
            yield [
                Deposit(number, file, member.size, partial(content_of, descriptor, member))
                for number, (file, member) in enumerate(zip(metadata.files, members, strict=True), first)
            ]
        finally:
            os.close(descriptor)


_SHORT = 512 * 1024
"""Bytes of the metadata of such a bundle."""


def _is_small(upload: Upload) -> bool:
    return len(upload.index.files) <= _SMALL and len(upload.index.metadata or b"") <= _SHORT


_UPLOADS = Recent[Upload](64, _is_small)
_METADATA = Recent[Metadata](64, lambda _: True)


def metadata_of(upload: Upload) -> Metadata:
    """Read what a bundle says of itself.

    Raises
    ------
    MetadataError
        Where it is missing, or not accepted.
    """
    if not _is_small(upload):
        return read_metadata(upload.index.metadata)
    return _METADATA.get(upload.index.metadata, lambda: read_metadata(upload.index.metadata))


def open_upload(message: Message, spool: Path, limits: Limits) -> Upload:
    """Read the bundle of a message from its first byte to its last.

    A compressed one is decompressed into the spool, once.

    Raises
    ------
    TarError
        Where it is not there, no whole tar archive, or has a member that we refuse.
    Retry
        Where the spool is not there.
    OSError
        What the drive says.
    """
    path = place_of(message, spool)
    try:
        status = path.stat()
    except FileNotFoundError:
        return _read(message, path, spool, limits)
    key = (path, status.st_ino, status.st_size, status.st_mtime_ns, limits)
    upload = _UPLOADS.get(key, lambda: _read(message, path, spool, limits))
    if upload.path != path and not upload.path.exists():  # decompressed, and taken away since
        return _read(message, path, spool, limits)
    return upload


def _read(message: Message, path: Path, spool: Path, limits: Limits) -> Upload:
    plain = plain_of(path)
    if plain.exists():  # it has its name since it was whole
        with plain.open("rb", buffering=_BUFFER) as file, opened(file, limits) as source:
            return Upload(plain, read_index(source))
    with _spooled(path, message) as file:
        if compression_of(file) is None:
            with opened(file, limits) as source:
                return Upload(path, read_index(source))
        part = plain.with_name(f"{plain.name}.{uuid4().hex}.part")  # two workers may be at the same job
        try:
            with part.open("wb") as tee, opened(file, limits) as source:
                index = read_index(source, tee)
                tee.flush()
                os.fsync(tee.fileno())
            part.rename(plain)
            fsync_folder(spool)
        finally:
            part.unlink(missing_ok=True)
        return Upload(plain, index)


@contextmanager
def _spooled(path: Path, message: Message) -> Iterator[BinaryIO]:
    """Open an upload, which is as long as its message says."""
    try:
        file = path.open("rb", buffering=_BUFFER)
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise Retry(f"the spool {path.parent} is not there: mount it, or correct 'spool'") from None
        raise TarError(f"{path.name} is not in the spool any more: upload it again") from None
    with file:
        size = os.fstat(file.fileno()).st_size
        if size != message.size:
            raise TarError(f"{path.name} has {size} bytes in the spool, and {message.size} were uploaded")
        yield file


def read_document(message: Message, spool: Path, limits: Limits) -> Metadata:
    """Read the document of a move.

    Raises
    ------
    MetadataError
        Where it is not there, or none that we accept.
    Retry
        Where the spool is not there.
    """
    try:
        with _spooled(place_of(message, spool), message) as file:
            if message.size > limits.bytes_of("max_metadata"):
                raise MetadataError(f"the document has {message.size} bytes, more than is accepted")
            return read_metadata(file.read(), moving=True)
    except TarError as error:
        raise MetadataError(str(error)) from None
