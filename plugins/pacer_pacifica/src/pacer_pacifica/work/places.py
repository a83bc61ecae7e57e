"""Where an upload is in the spool, and what is made of it there."""

from __future__ import annotations

import re
from pathlib import Path

from pacer_pacifica.bundles.errors import TarError
from pacer_pacifica.bundles.names import shown
from pacer_pacifica.messages import Bundle, Move

Message = Bundle | Move
_NAME = re.compile(r"[0-9a-f]{32}\.(bundle|moves)")


def place_of(message: Message, spool: Path) -> Path:
    """Give where a message's upload is.

    Raises
    ------
    TarError
        Where its name is none that the service gives: no message of the service's has another.
    """
    if _NAME.fullmatch(message.name) is None:
        raise TarError(f"{shown(message.name)} is no name of an upload in the spool")
    return spool / message.name


def plain_of(path: Path) -> Path:
    """Give where a compressed bundle is without compression, beside it."""
    return path.with_name(f"{path.name}.plain")


def drop_plain(message: Message, spool: Path) -> None:
    """Remove a bundle without compression, which can be made again."""
    if _NAME.fullmatch(message.name) is not None:
        plain_of(spool / message.name).unlink(missing_ok=True)


def clear(message: Message, spool: Path) -> None:
    """Take an upload out of the spool, once its job is done."""
    drop_plain(message, spool)
    place_of(message, spool).unlink(missing_ok=True)
