"""Names in a bundle: what a path may be, and what it is once the harmless odd is taken out."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
LONGEST_NAME = 255
"""Bytes of one component: what Linux's file systems hold."""
LONGEST_PATH = 3000
"""Bytes of a whole path; Linux takes 4 096, of which an archive's own folders need some."""
DEEPEST = 100
"""Folders in one another."""


def components(path: str) -> list[str]:
    """Cut a relative path into its components; empty ones and ``.`` are left out, Unicode stays as it is.

    Raises
    ------
    ValueError
        Saying what is wrong, of "a path": one that is absolute, climbs, or that no file system holds.
    """
    if path.startswith("/"):
        raise ValueError("is absolute")
    if _CONTROL.search(path):
        raise ValueError("holds a control character")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ValueError("climbs out by '..'")
    if len(parts) > DEEPEST:
        raise ValueError(f"is deeper than {DEEPEST} folders")
    try:
        lengths = [len(part.encode()) for part in parts]
    except UnicodeEncodeError:
        raise ValueError("holds half a character") from None
    if any(length > LONGEST_NAME for length in lengths):
        raise ValueError(f"has a name longer than {LONGEST_NAME} bytes")
    if sum(lengths) + len(lengths) > LONGEST_PATH:
        raise ValueError(f"is longer than {LONGEST_PATH} bytes")
    return parts


def shown(path: str, longest: int = 120) -> str:
    """Give a name of others as an error may hold it: in quotes, one line, no longer than needed."""
    return repr(path if len(path) <= longest else f"{path[: longest - 3]}...")
