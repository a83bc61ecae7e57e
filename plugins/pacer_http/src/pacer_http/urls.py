"""Addresses: what an option may hold, and how a name becomes one segment of a path."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit


def is_url(_: Any, __: Any, url: str) -> None:
    """Validate an option, as attrs validators do: an http(s) URL without credentials, query or fragment.

    Raises
    ------
    ValueError
        Saying what is wrong; the URL is not quoted.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("is no http:// or https:// URL") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("is no http:// or https:// URL")
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds credentials: they have options of their own")
    if parts.query or parts.fragment:
        raise ValueError("holds a query or a fragment: give what stands before it")


def segment(text: object) -> str:
    """Give a text as one segment of a path; a slash in it is quoted as well.

    Raises
    ------
    ValueError
        For nothing, and for ``.`` and ``..``, which would mean another path.
    """
    name = str(text)
    if name in ("", ".", ".."):
        raise ValueError("a path cannot hold an empty segment, '.' or '..'")
    return quote(name, safe="")
