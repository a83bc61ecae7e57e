"""The URLs of the embedded broker.

``pacer+sqlite:///FILE`` as SQLAlchemy writes it: three slashes before a relative path, four before an
absolute one. ``pacer+memory://NAME`` lives in this process alone; the name may be left out. kombu splits a
URL at its first plus: what is before it is the transport's alias (`ALIAS`), and the transport gets the rest.
"""

from __future__ import annotations

import os
from urllib.parse import unquote

from kombu.transport import TRANSPORT_ALIASES

from pacer_core import BrokerError, Capabilities
from pacer_embedded.capabilities import MEMORY, SQLITE
from pacer_embedded.store import Place
from pacer_embedded.store import forget as _forget

ALIAS = "pacer"

_EXPECTED = "expected pacer+sqlite:///FILE (four slashes before an absolute path) or pacer+memory://NAME"


def place_of(url: str) -> Place:
    """Give where a URL's broker lives; the alias may be left out, as kombu does.

    Raises
    ------
    BrokerError
        For a URL of another shape.
    """
    scheme, separator, rest = url.removeprefix(f"{ALIAS}+").partition("://")
    rest = unquote(rest)
    if separator and scheme == "memory" and "/" not in rest.rstrip("/"):
        return Place(None, rest.rstrip("/"))
    if separator and scheme == "sqlite" and rest.startswith("/") and rest != "/" and not rest.endswith("/"):
        return Place(os.path.realpath(rest[1:]))
    raise BrokerError(f"{url!r} is no URL of the embedded broker: {_EXPECTED}")


def capabilities(url: str) -> Capabilities:
    """Give what the broker of a URL can do."""
    return MEMORY if place_of(url).path is None else SQLITE


def register() -> None:
    """Make kombu know the URLs of the embedded broker; a second call does nothing."""
    TRANSPORT_ALIASES[ALIAS] = "pacer_embedded.transport:Transport"


def forget(url: str) -> None:
    """Drop a broker in memory with all its messages; a file is left alone."""
    place = place_of(url)
    if place.path is None:
        _forget(place)
