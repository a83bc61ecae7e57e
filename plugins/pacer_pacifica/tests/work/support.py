"""Bundles as uploaders make them, and as nobody should; and jobs as the service makes them."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

JAPANESE = "ファイル＆データ（全角）.txt"  # noqa: RUF001 - full width, as in Pacifica's own bundle
CONTENTS = {
    "data/a.txt": b"first\n",
    "data/a/b/c.bin": bytes(range(256)) * 40,
    f"data/{JAPANESE}": "こんにちは\n".encode(),
}
"""Like Pacifica's own good bundle: three files, one of them with a Japanese name."""
TERMS = {"submitter": 10, "project": "1234a", "instrument": 54}


def file_row(path: str, content: bytes, **changes: Any) -> dict[str, Any]:
    """Give what ``metadata.txt`` says of a file."""
    subdir, _, name = path.rpartition("/")
    row = {
        "destinationTable": "Files",
        "name": name,
        "subdir": subdir,
        "size": len(content),
        "hashtype": "sha1",
        "hashsum": hashlib.sha1(content).hexdigest(),
        "mimetype": "text/plain",
        "ctime": "2025-07-15T10:00:00",
        "mtime": "2025-07-15T10:00:00",
        **changes,
    }
    return {key: value for key, value in row.items() if value is not None}


def rows(
    contents: Mapping[str, bytes] = CONTENTS,
    terms: Mapping[str, Any] = TERMS,
    key_values: Mapping[str, str] | None = None,
    **changes: Any,
) -> list[dict[str, Any]]:
    """Give a whole ``metadata.txt`` as Python has it; ``changes`` are those of every file's row."""
    found: list[dict[str, Any]] = [
        {"destinationTable": f"Transactions.{name}", "value": value} for name, value in terms.items()
    ]
    found += [
        {"destinationTable": "TransactionKeyValue", "key": key, "value": value}
        for key, value in (key_values or {}).items()
    ]
    return [*found, *(file_row(path, content, **changes) for path, content in contents.items())]


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, **more: Any) -> tarfile.TarInfo:
    """Give the header of a member."""
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mode = kind, len(content), 0o644
    for key, value in more.items():
        setattr(info, key, value)
    return info


def tar(
    members: Sequence[tuple[tarfile.TarInfo, bytes]], *, tar_format: int = tarfile.PAX_FORMAT, mode: str = "w"
) -> bytes:
    """Give an archive with these members, in this order; ``mode`` is that of `tarfile.open`."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode, format=tar_format) as archive:  # type: ignore[call-overload]
        for info, content in members:
            archive.addfile(info, io.BytesIO(content) if content else None)
    return file.getvalue()


def bundle(
    contents: Mapping[str, bytes] = CONTENTS,
    metadata: Any = None,
    *,
    first: bool = True,
    mode: str = "w",
    more: Sequence[tuple[tarfile.TarInfo, bytes]] = (),
    tar_format: int = tarfile.PAX_FORMAT,
) -> bytes:
    """Give a bundle; ``metadata`` are rows, or the bytes of ``metadata.txt``, which comes first or last."""
    said = rows(contents) if metadata is None else metadata
    text = said if isinstance(said, bytes) else json.dumps(said).encode()
    described = [(member("metadata.txt", text), text)]
    files = [(member(path, content), content) for path, content in contents.items()]
    ordered = [*described, *files, *more] if first else [*files, *more, *described]
    return tar(ordered, mode=mode, tar_format=tar_format)


def zstd() -> Any:
    """Give Python's zstd, or the same for one before 3.14."""
    return import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
