"""Bodies that a publisher has compressed: ``content-encoding`` of AMQP, and the header that kombu writes.

Copies carry the body as it came; what parsers see is here.
"""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from attrs import evolve

from pacer_core.model.errors import Reject
from pacer_core.model.messages import Envelope

LARGEST = 128 * 1024 * 1024
"""Bytes of a body once it is decompressed: of messages themselves, RabbitMQ 3 takes no larger ones."""
HEADER = "compression"
"""Where kombu says what it has compressed a body with."""

_COMMON = ("utf-8", "binary")  # what kombu writes as the encoding of all that is not compressed
_NAMES = {
    "gzip": "gzip x-gzip zlib deflate application/gzip application/x-gzip application/zlib",
    "bzip2": "bzip2 x-bzip2 bz2 bzip application/bzip2 application/x-bzip2 application/x-bz2",
    "xz": "xz x-xz lzma application/xz application/x-xz application/x-lzma",
    "zstd": "zstd zstandard x-zstd application/zstd application/x-zstd",
    # What others write, and PACER does not read.
    "brotli": "br brotli application/x-brotli",
    "LZ4": "lz4 application/x-lz4",
    "Snappy": "snappy application/x-snappy",
    "compress": "compress x-compress application/x-compress",
}
_KINDS = {name: kind for kind, names in _NAMES.items() for name in names.split()}
_UNREADABLE = {"brotli", "LZ4", "Snappy", "compress"}
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x5d\0\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_PIECE = 64 * 1024  # bytes
_MEMBERS = 10_000  # what parallel compressors write has one for each 64 KiB or more
_LAYERS = 4  # compressions of one body, each of which may be of `LARGEST`
_PADDING = re.compile(rb"\0*")
_MEMORY = 256 * 1024 * 1024  # what xz may take for its dictionary
_READS = "PACER reads gzip, zlib, bzip2, xz and zstd"


def is_packed(envelope: Envelope) -> bool:
    """Tell, at next to no cost, of all but the commonest messages that they may be compressed."""
    encoding = envelope.properties.get("content_encoding")
    return HEADER in envelope.headers or (encoding is not None and encoding not in _COMMON)


def unpacked(envelope: Envelope) -> Envelope:
    """Give a message as it was before its publisher compressed it; one that is not compressed stays as it is.

    The labels say that it is compressed, and its first bytes with what: a body that does not begin as
    anything compressed is taken for what it seems to be.

    Raises
    ------
    Reject
        Where it is cut off or damaged, would be larger than `LARGEST`, or needs a library that is not there.
    """
    body = envelope.body
    labels = tuple(_labels(envelope))
    if len(labels) > _LAYERS:
        raise Reject(f"the body is compressed more than {_LAYERS} times over, which is not read")
    for label in labels:
        kind = _kind_of(body)
        if _KINDS[label] in _UNREADABLE and kind is None:
            return envelope
        if kind is not None:
            body = _decompressed(body, kind)
        elif label == "deflate" and body[:1] not in (b"{", b"[", b"<", b'"'):
            body = _decompressed(body, "deflate")
    if body is envelope.body:
        return envelope
    properties = {name: value for name, value in envelope.properties.items() if name != "content_encoding"}
    headers = {name: value for name, value in envelope.headers.items() if name != HEADER}
    return evolve(envelope, body=body, properties=properties, headers=headers)


def remark(envelope: Envelope) -> str:
    """Say of a message that could not be read what its compression has to do with it, or nothing."""
    for label in _labels(envelope):
        if _KINDS[label] in _UNREADABLE:
            return f"it is compressed by {_KINDS[label]}, which is not supported: {_READS}"
        if _kind_of(envelope.body) is None:
            return f"it is said to be compressed ({label}), and does not begin so"
    kind = _kind_of(envelope.body)
    if kind is not None and not any(True for _ in _labels(envelope)):
        return f"it begins like {kind}: a compressed body needs the property content_encoding"
    return ""


def _labels(envelope: Envelope) -> Iterator[str]:
    """Give the names of what a body is compressed with, the last one first."""
    for value in (envelope.properties.get("content_encoding"), envelope.headers.get(HEADER)):
        if isinstance(value, str) and len(value) < 200:
            names = (name.strip().lower() for name in reversed(value.split(",")))
            yield from (name for name in names if name in _KINDS)


def _kind_of(body: bytes) -> str | None:
    for magic, kind in _MAGIC.items():
        if body.startswith(magic):
            return kind
    # RFC 1950: the method 8, and a check of the first two bytes; no JSON and no XML begins so.
    if len(body) > 2 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0:
        return "zlib"
    return None


def _decompressed(body: bytes, kind: str) -> bytes:
    """Decompress all members of a body, up to what is read."""
    try:
        return b"".join(_members(body, kind))
    except Reject:
        raise
    except Exception:  # each library has an error of its own
        raise Reject(f"the body is {kind}, and cannot be decompressed: it is damaged") from None


def _members(body: bytes, kind: str) -> Iterator[bytes]:
    """Decompress piece by piece: each library copies what it is given and does not use, for every member."""
    make = _decompressor(kind)
    left = LARGEST + 1
    at = members = 0
    while at < len(body):
        members += 1
        if members > _MEMBERS:
            raise Reject(f"the body is {kind} of more than {_MEMBERS:,} parts, which is not read")
        one = make()
        while not one.eof:
            piece = body[at : at + _PIECE]
            at += len(piece)
            part = one.decompress(piece, left)
            left -= len(part)
            if left <= 0:
                most = f"{LARGEST // 1024**2} MiB"
                raise Reject(f"the body is {kind} of more than {most} once decompressed, which is not read")
            if not part and not piece and not one.eof:
                raise Reject(f"the body is {kind} that is cut off")
            yield part
        padding = _PADDING.match(body, at - len(one.unused_data))
        at = len(body) if padding is None else padding.end()


def _decompressor(kind: str) -> Callable[[], Any]:
    if kind == "bzip2":
        return bz2.BZ2Decompressor
    if kind == "xz":
        return lambda: lzma.LZMADecompressor(memlimit=_MEMORY)
    if kind == "zstd":
        return _zstd()
    return lambda: zlib.decompressobj(wbits=-15 if kind == "deflate" else 47)


def _zstd() -> Callable[[], Any]:
    for name in ("compression.zstd", "backports.zstd"):  # Python 3.14's, and the same for older ones
        try:
            return import_module(name).ZstdDecompressor  # type: ignore[no-any-return]
        except ImportError:
            continue
    raise Reject("the body is zstd, for which a library is missing: pip install 'pacer-core[zstd]'")
