"""Declared and present: what metadata say of the files has to be what the bundle holds, both ways."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from pacer_pacifica.bundles.errors import CatalogueError, ContentError
from pacer_pacifica.bundles.members import Member
from pacer_pacifica.bundles.metadata import File, Metadata
from pacer_pacifica.bundles.names import shown

_MIME_TYPES = (
    "application", "audio", "chemical", "example", "font", "haptics", "image", "message", "model",
    "multipart", "text", "video",
)  # fmt: skip
"""IANA's top-level media types, and ``chemical``, which chemists use."""
_SUBTYPE = re.compile(r"[!#$&^_.+A-Za-z0-9-]{1,127}(\s*;.*)?", re.DOTALL)


def check_members(metadata: Metadata, members: Mapping[str, Member]) -> None:
    """Check that each declared file is in the bundle with its size, and nothing else is.

    Raises
    ------
    ContentError
        Naming the first that is wrong, and how many more are.
    """
    declared = {file.path: file for file in metadata.files}
    wrong = [f"{shown(path)} is declared, and not in the bundle" for path in declared if path not in members]
    wrong += [f"{shown(path)} is in the bundle, and not declared" for path in members if path not in declared]
    wrong += [
        f"{shown(path)} has {members[path].size} bytes in the bundle, and {file.size} are declared"
        for path, file in declared.items()
        if path in members and file.size is not None and file.size != members[path].size
    ]
    _raise(wrong)


def check_hashes(files: Iterable[File]) -> None:
    """Check that each file has a hash that can be compared.

    Raises
    ------
    ContentError
        Naming the first that has none.
    """
    for file in files:
        _ = file.hash


def check_media_types(files: Iterable[File]) -> None:
    """Check that each file's ``mimetype``, where it has one, is a media type: catalogues take no other.

    Raises
    ------
    CatalogueError
        Naming the first that is none.
    """
    for file in files:
        given = file.row.get("mimetype")
        if given in (None, ""):
            continue
        kind, _, subtype = given.strip().partition("/") if isinstance(given, str) else ("", "", "")
        if kind.lower() not in _MIME_TYPES or _SUBTYPE.fullmatch(subtype) is None:
            raise CatalogueError(f"{shown(file.path)} has a mimetype that is no media type, as text/plain is")


def checked(
    file: File, content: Iterable[bytes], note: Callable[[int], None] = lambda _: None
) -> Iterator[bytes]:
    """Give the content of a file on; at its end its hash has to be the declared one.

    ``note`` is told how many bytes have passed, block by block.

    Raises
    ------
    ContentError
        After the last byte, where the hash is another.
    """
    expected = file.hash
    digest = expected.begun()
    for block in content:
        digest.update(block)
        note(len(block))
        yield block
    if digest.hexdigest() != expected.digest:
        raise ContentError(
            f"{shown(file.path)} has the {expected.type} {digest.hexdigest()}, "
            f"and {expected.digest} is declared"
        )


def _raise(wrong: list[str]) -> None:
    if wrong:
        more = f"; and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise ContentError(f"{wrong[0]}{more}")
