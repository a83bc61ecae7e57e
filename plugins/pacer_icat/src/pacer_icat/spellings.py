"""What people and programs spell in several ways: one normal form each, to look up, compare and store."""

from __future__ import annotations

import re
import unicodedata

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f"))
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u00af_"), "-")
_ORCID = re.compile(
    r"(?:(?:https?:?)?/*(?:www\.)?orcid\.org[/:]*(?:my-orcid\?orcid=)?|"
    r"(?:urn:|info:)?orcid[ -]*(?:id)?[ :=/#]*)?"
    r"(\d{4})[- ]*(\d{4})[- ]*(\d{4})[- ]*(\d{3}[\dx])(?:[/.]|/?[?#].*)?",
    re.ASCII | re.IGNORECASE,
)
_LONGEST = 200  # characters of anything that may be an ORCID iD


def folder(path: str) -> str:
    """Give a path without blanks around it and what leads nowhere: ``//a/./b/`` is ``/a/b``.

    ``..`` stays: where a link comes before it, only the file system knows what it means.
    """
    path = path.strip()
    if "//" not in path and "/." not in path and path[:2] != "./" and path[-1:] != "/":
        return path
    found = _SCHEME.match(path)
    scheme = found.group() if found else ""
    rest = path[len(scheme) :]
    parts = "/".join(part for part in rest.split("/") if part not in ("", "."))
    shorter = f"{scheme}/{parts}" if rest.startswith("/") else scheme + parts
    return path if shorter in (path, "") else folder(shorter)


def folder_spellings(path: str) -> tuple[str, ...]:
    """Give the spellings under which ICAT may have a folder: PACER's, with a slash behind, and as it came."""
    normal = folder(path)
    return tuple(dict.fromkeys((normal, f"{normal}/", path.strip())))


def user_name(text: str) -> str:
    """Give the name of an account as it is stored: in lower case, without blanks around it, and composed."""
    if text.isascii():
        return text.strip().lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).strip().lower())


def user_spellings(name: str) -> tuple[str, ...]:
    """Give the spellings under which ICAT may have an account, for which decomposed letters are others."""
    return tuple(dict.fromkeys((name, unicodedata.normalize("NFD", name))))


def orcid(text: str | None) -> str | None:
    """Give an ORCID iD as ``0000-0002-1825-0097``; ``None`` where it is none by its last digit (ISO 7064).

    It may be a URI, with or without its scheme or its host, have blanks or other dashes, or no hyphens.
    """
    if text is None or len(text) > _LONGEST:
        return None
    plain = unicodedata.normalize("NFKC", text).translate(_INVISIBLE | _DASHES)
    match = _ORCID.fullmatch(" ".join(plain.split()).strip("<>()[]{}\"', "))
    if match is None:
        return None
    digits = "".join(match.groups()).upper()
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    check = (12 - total % 11) % 11
    if digits[-1] != ("X" if check == 10 else str(check)):
        return None
    return "-".join(digits[start : start + 4] for start in (0, 4, 8, 12))


def orcid_uri(text: str | None) -> str | None:
    """Give an ORCID iD, however it is spelt, as the URI that it is: ``https://orcid.org/0000-0002-1825-0097``.

    ``None`` where it is none.
    """
    identifier = orcid(text)
    return None if identifier is None else f"https://orcid.org/{identifier}"
