"""Names of queues, as PACER writes them and as SQS takes them, one for one in both directions.

SQS knows letters, digits, ``-`` and ``_``, 80 of them at most. A dot, which PACER's own names are full of,
becomes ``--``; any other character its bytes in UTF-8, each as ``__`` and two hexadecimal digits; and so does
a ``-`` or ``_`` that would be read as one of these. ``datasets.dead`` is ``datasets--dead``; names without
such characters are the same on both sides, so that queues which are there already are called what they are
called. ``.fifo`` at the end is SQS's own.
"""

from __future__ import annotations

import re
from string import ascii_letters, digits

FIFO = ".fifo"
LONGEST = 80

_PLAIN = frozenset(ascii_letters + digits)
_TOKEN = re.compile(r"(?:__[0-9A-F]{2})+|--|.")


def encode(name: str) -> str:
    """Give what SQS calls a queue; any length."""
    stem, ending = (name[: -len(FIFO)], FIFO) if name.endswith(FIFO) else (name, "")
    written = ""
    for character in reversed(stem):  # whether a sign is ambiguous depends on what follows it
        if character in _PLAIN or (character in "-_" and not written.startswith(character)):
            written = character + written
        elif character == ".":
            written = "--" + written
        else:
            written = "".join(f"__{byte:02X}" for byte in character.encode()) + written
    return written + ending


def decode(name: str) -> str:
    """Give what PACER calls a queue of SQS's: the other way round."""
    stem, ending = (name[: -len(FIFO)], FIFO) if name.endswith(FIFO) else (name, "")
    return "".join(_read(token) for token in _TOKEN.findall(stem)) + ending


def _read(token: str) -> str:
    if token == "--":  # noqa: S105 - no secret
        return "."
    if token.startswith("__") and len(token) > 2:
        return bytes.fromhex(token.replace("__", "")).decode(errors="replace")
    return token
