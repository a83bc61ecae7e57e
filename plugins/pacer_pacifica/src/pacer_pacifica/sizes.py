"""Sizes as people write them: ``64MiB``, ``2TiB``."""

from __future__ import annotations

import re
from typing import Any

_SIZE = re.compile(r"(\d+)\s*(B|KiB|MiB|GiB|TiB)?")
_UNITS = {None: 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4}


def size(text: str) -> int | None:
    """Read a size such as ``64MiB`` in bytes; ``None`` where it is none."""
    match = _SIZE.fullmatch(text.strip())
    return int(match[1]) * _UNITS[match[2]] if match else None


def is_size(_: Any, __: Any, text: str) -> None:
    """Refuse what is no size: for options."""
    if size(text) is None:
        raise ValueError("should be a size such as 512KiB, 64MiB or 2TiB")
