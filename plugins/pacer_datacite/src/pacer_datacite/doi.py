"""The DOI of an investigation: the same one for ever, and another one for each visit.

Nothing here may change what comes out for an investigation that has been minted: a DOI cannot be taken back.
"""

from __future__ import annotations

import base64
import hashlib
import re
import string
import unicodedata

from attrs import frozen

LONGEST = 255
"""Characters that ICAT's ``Investigation.doi`` holds."""
FIELDS = frozenset({"facility", "name", "visit", "id", "hash"})
"""What a template may name."""
_DISTINCT = frozenset({"id", "hash"})
"""Fields that no two investigations share."""
# DataCite takes 10.NNNN or 10.NNNNN, and of ASCII letters, digits and -._;()/:*~$= behind the slash.
PREFIX = re.compile(r"10\.\d{4,5}")
_SUFFIX = re.compile(r"[-._;()/:a-z0-9*~$=]+")
_OTHER = re.compile(r"[^a-z0-9._]+")


@frozen
class Identity:
    """What makes an investigation this one and no other, as ICAT holds it."""

    id: int
    facility: str
    name: str
    visit_id: str


def doi_of(prefix: str, template: str, of: Identity) -> str:
    """Give the DOI of an investigation, in lower case, as DataCite gives it back.

    Raises
    ------
    ValueError
        Where it has more than 255 characters.
    """
    doi = f"{prefix}/{suffix_of(template, of)}"
    if len(doi) > LONGEST:
        raise ValueError(f"the DOI would have {len(doi)} characters; ICAT holds {LONGEST}")
    return doi


def suffix_of(template: str, of: Identity) -> str:
    """Fill a template: names become letters, digits, dots, underscores and hyphens."""
    values = {
        "facility": plain(of.facility),
        "name": plain(of.name),
        "visit": plain(of.visit_id),
        "id": str(of.id),
        "hash": fingerprint(of),
    }
    return template.format_map(values).lower()


def plain(text: str) -> str:
    """Give a text in the characters that a DOI and a URL both take as they are."""
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return _OTHER.sub("-", letters).strip("-.") or "x"


def fingerprint(of: Identity) -> str:
    """Give eight characters that tell an investigation from those with similar names.

    They come from facility, name and visit, by SHA-256; case and blanks at the end do not count, as they do
    not for ICAT.
    """
    parts = (of.facility, of.name, of.visit_id)
    text = "\0".join(unicodedata.normalize("NFKC", part).casefold().rstrip() for part in parts)
    return base64.b32encode(hashlib.sha256(text.encode()).digest()[:5]).decode().lower()


def check_template(template: str) -> None:
    """Refuse a template of which DataCite would refuse the DOIs, or that gives one to two investigations.

    Raises
    ------
    ValueError
        Saying what is wrong.
    """
    named = fields_of(template)
    if wrong := sorted(named - FIELDS):
        raise ValueError(f"names {{{wrong[0]}}}; there are {', '.join(sorted(FIELDS))}")
    if not named & _DISTINCT:
        raise ValueError("would give two visits one DOI: it needs {hash} or {id}")
    sample = suffix_of(template, Identity(1, "f", "n", "v"))
    if not _SUFFIX.fullmatch(sample):
        raise ValueError("holds what a DOI may not: letters, digits and -._;()/:*~$= are allowed")


def fields_of(template: str) -> set[str]:
    """Give the names in braces.

    Raises
    ------
    ValueError
        For braces that do not close, or that hold more than a name.
    """
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError:
        raise ValueError("has a brace too many or too few") from None
    if any(spec or conversion for _, _, spec, conversion in parts):
        raise ValueError("holds more than names in its braces")
    return {name for _, name, _, _ in parts if name is not None}
