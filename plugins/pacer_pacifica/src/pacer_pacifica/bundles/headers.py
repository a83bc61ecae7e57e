"""Headers of tar, one after another: what a member is called, what it is, and how long.

`tarfile` reads the 512 bytes of a header. It is not asked to walk an archive: it would read extended headers
of any length into memory, and follow what we refuse.
"""

from __future__ import annotations

import re
import tarfile
from typing import Literal

from attrs import evolve, frozen

from pacer_pacifica.bundles.errors import TarError
from pacer_pacifica.bundles.names import shown
from pacer_pacifica.bundles.streams import Source

BLOCK = tarfile.BLOCKSIZE
EXTENDED = 64 * 1024
"""Bytes of an extended header at most; the longest path needs 4 KiB."""
_EXTENSIONS = 4
"""Extended headers that one member may have: pax, GNU's long name and link, and one to spare."""
_EMPTY = bytes(BLOCK)
_RECORD = re.compile(rb"(\d{1,9}) ([^=\n]+)=")

_FILES = {tarfile.REGTYPE, tarfile.AREGTYPE}
_PAX, _PAX_SUN, _PAX_GLOBAL = tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.XGLTYPE
_LONG_NAME, _LONG_LINK = tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK
_REFUSED = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.CONTTYPE: "a contiguous file",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
    b"M": "the rest of a file of another volume",
    b"V": "the label of a volume",
    b"D": "a folder of an incremental backup",
}


@frozen
class Header:
    """What a member's header says of it, extended headers included; ``size`` in bytes."""

    name: str
    kind: Literal["file", "folder"]
    size: int


@frozen
class _Extension:
    """What extended headers say of the member that follows them."""

    name: str | None = None
    size: int | None = None


def next_header(source: Source) -> Header | None:
    """Read a header with those that extend it; ``None`` at the archive's end, which is checked.

    Raises
    ------
    TarError
        Where there is no header, or one that we refuse.
    """
    extension = _Extension()
    for _ in range(_EXTENSIONS + 1):
        block = source.read(BLOCK)
        if block == _EMPTY:
            _check_end(source)
            return None
        info = _info(block)
        if info.type in (_PAX, _PAX_SUN):
            extension = _pax(_extended(source, info), extension)
        elif info.type == _PAX_GLOBAL:
            _check_global(_extended(source, info))
        elif info.type == _LONG_NAME:
            extension = evolve(extension, name=_text(_extended(source, info).partition(b"\0")[0]))
        elif info.type == _LONG_LINK:
            raise TarError("a member of the bundle is a link, which is not accepted")
        else:
            return _header(info, extension)
    raise TarError(f"a member of the bundle has more than {_EXTENSIONS} extended headers")


def _info(block: bytes) -> tarfile.TarInfo:
    if not block:
        raise TarError("the bundle has no end: it was cut off on its way")
    if len(block) < BLOCK:
        raise TarError("the bundle ends within a header: it is no tar archive, or was cut off on its way")
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except UnicodeDecodeError:
        raise TarError("a member of the bundle has a name that is not UTF-8") from None
    except (tarfile.HeaderError, ValueError, OverflowError):
        raise TarError("the bundle is no tar archive, or is damaged: a header is not one of tar") from None


def _header(info: tarfile.TarInfo, extension: _Extension) -> Header:
    name = info.name if extension.name is None else extension.name
    size = info.size if extension.size is None else extension.size
    refused = _REFUSED.get(info.type)
    if refused is not None:
        raise TarError(f"{shown(name)} in the bundle is {refused}, which is not accepted")
    if info.type in _FILES and not name.endswith("/"):
        kind: Literal["file", "folder"] = "file"
    elif info.type == tarfile.DIRTYPE or info.type in _FILES:
        kind = "folder"
    else:
        raise TarError(f"{shown(name)} in the bundle is of a kind that tar does not define ({info.type!r})")
    if size < 0:
        raise TarError(f"{shown(name)} in the bundle has a negative size")
    if kind == "folder" and size:
        raise TarError(f"{shown(name)} in the bundle is a folder with a size")
    return Header(name, kind, size)


def _extended(source: Source, info: tarfile.TarInfo) -> bytes:
    if not 0 <= info.size <= EXTENDED:
        raise TarError(f"an extended header of the bundle has {info.size} bytes; {EXTENDED} are accepted")
    padded = -(-info.size // BLOCK) * BLOCK
    found = source.read(padded)
    if len(found) < padded:
        raise TarError("the bundle ends within an extended header: it was cut off on its way")
    return found[: info.size]


def _pax(text: bytes, extension: _Extension) -> _Extension:
    """Read extended headers of POSIX (pax, 2001): only what changes which bytes are whose."""
    for key, value in _records(text):
        if key.startswith("GNU.sparse"):
            raise TarError("a member of the bundle is a sparse file, which is not accepted")
        if key == "linkpath":
            raise TarError("a member of the bundle is a link, which is not accepted")
        if key == "path":
            extension = evolve(extension, name=_text(value))
        elif key == "size":
            if not value.isdigit() or len(value) > 19:
                raise TarError("an extended header of the bundle has a size that is no number")
            extension = evolve(extension, size=int(value))
        elif key == "hdrcharset" and value.decode("ascii", "replace") != "ISO-IR 10646 2000 UTF-8":
            raise TarError("an extended header of the bundle is not UTF-8")
    return extension


def _check_global(text: bytes) -> None:
    """Take comments for all members, as ``git archive`` writes one; nothing that would rename them."""
    for key, _ in _records(text):
        if key in ("path", "size", "linkpath", "hdrcharset") or key.startswith("GNU.sparse"):
            raise TarError(f"the bundle sets {key} for all its members, which is not accepted")


def _records(text: bytes) -> list[tuple[str, bytes]]:
    records = []
    at = 0
    while at < len(text):
        match = _RECORD.match(text, at)
        end = at + int(match[1]) if match else 0
        if match is None or end <= match.end() or end > len(text) or text[end - 1 : end] != b"\n":
            raise TarError("an extended header of the bundle is damaged")
        records.append((_text(match[2]), text[match.end() : end - 1]))
        at = end
    return records


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise TarError("a member of the bundle has a name that is not UTF-8") from None


def _check_end(source: Source) -> None:
    """See to it that nothing stands behind the end: what others read there, we would not have checked."""
    second = source.read(BLOCK)
    if len(second) < BLOCK:
        raise TarError("the bundle has half an end: it was cut off on its way")
    while second:
        if second.strip(b"\0"):
            raise TarError("the bundle has something behind its end")
        second = source.read(BLOCK * 128)
