"""The bytes of a bundle, decompressed where that is allowed; never more in memory than what is asked for."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol

from pacer_core import PacerError
from pacer_pacifica.bundles.errors import TarError
from pacer_pacifica.bundles.limits import Limits

if TYPE_CHECKING:
    from types import ModuleType

BLOCK = 1024 * 1024
"""Bytes that are read in one go."""
_WINDOW = 25
"""Binary logarithm of the memory that a zstd bundle may ask for: 32 MiB, as ``zstd --long=25`` does."""
_FREE = 4 * 1024 * 1024
"""Bytes that may come out before their ratio is looked at: a short text may be very compressible."""
_MAGIC: dict[bytes, Literal["gzip", "zstd"]] = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def compression_of(file: BinaryIO) -> Literal["gzip", "zstd"] | None:
    """Tell by its first bytes how a bundle is compressed; the file is at its beginning before and after."""
    head = file.read(4)
    file.seek(0)
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


class Source:
    """The bytes of a bundle, from the first to the last, with the number of those that were read."""

    def __init__(self, raw: BinaryIO, readable: _Readable, limits: Limits) -> None:
        self._raw, self._readable = raw, readable
        self._most = limits.bytes_of("max_size")
        self._ratio = None if readable is raw else limits.max_ratio
        self.limits = limits
        self.position = 0

    def skip(self, size: int) -> int:
        """Pass over so many bytes, or fewer at the end; give how many. What is not compressed is not read."""
        if self._readable is self._raw:
            end = os.fstat(self._raw.fileno()).st_size
            passed = max(0, min(size, end - self.position))
            self._raw.seek(self.position + passed)
            return self._count(passed)
        left = size
        while left and (found := self.read(min(left, BLOCK))):
            left -= len(found)
        return size - left

    def read(self, size: int) -> bytes:
        """Give so many bytes, or fewer at the end.

        Raises
        ------
        TarError
            Where the bundle is longer, or expands further, than is allowed, or is not what it begins as.
        """
        found = self._readable.read(size)
        while len(found) < size and (more := self._readable.read(size - len(found))):
            found += more
        self._count(len(found))
        return found

    def _count(self, number: int) -> int:
        self.position += number
        if self.position > self._most:
            raise TarError(f"the bundle is longer than {self._most} bytes")
        if self._ratio is not None and self.position > max(_FREE, self._ratio * self._raw.tell()):
            raise TarError(f"the bundle expands to more than {self._ratio} times its length")
        return number


@contextmanager
def opened(raw: BinaryIO, limits: Limits) -> Iterator[Source]:
    """Read a bundle from a file, which is at its beginning.

    Raises
    ------
    TarError
        Where it is compressed and may not be, or what is compressed is damaged.
    OSError
        What the drive says.
    """
    kind = compression_of(raw)
    if kind is not None and kind not in limits.compressions:
        raise TarError(f"the bundle is compressed with {kind}, which is not accepted here: send a plain tar")
    try:
        if kind == "gzip":
            with gzip.GzipFile(fileobj=raw, mode="rb") as unzipped:
                yield Source(raw, unzipped, limits)
        elif kind == "zstd":
            zstd = _zstd()
            options = {zstd.DecompressionParameter.window_log_max: _WINDOW}
            with _zstd_errors(zstd), zstd.ZstdFile(raw, "rb", options=options) as file:
                yield Source(raw, file, limits)
        else:
            yield Source(raw, raw, limits)
    except (gzip.BadGzipFile, zlib.error, EOFError):
        raise TarError("the bundle is no whole gzip file: it was cut off, or damaged on its way") from None


@contextmanager
def _zstd_errors(zstd: ModuleType) -> Iterator[None]:
    try:
        yield
    except (zstd.ZstdError, EOFError):
        raise TarError(
            "the bundle is no whole zstd file, or one that needs more than 32 MiB of memory to read"
        ) from None


def _zstd() -> ModuleType:
    for name in ("compression.zstd", "backports.zstd"):  # Python 3.14's, and the same for older ones
        try:
            return import_module(name)
        except ImportError:
            continue
    raise PacerError("a library for bundles with zstd is missing: pip install 'pacer-pacifica[zstd]'")
