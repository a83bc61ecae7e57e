"""What a role's rule says of types and identifiers, as text that a person writes and as data that is stored.

One thing a line. ``*`` has to be written out for "every": an empty field means nothing, and so does a key
without a value. What is written is kept as it is but for white space around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

EVERY = "*"


class GrammarError(ValueError):
    """A line that says neither a type nor identifiers; its text can be shown to who wrote it."""


def types_of(text: str) -> list[str]:
    """Give the types that a text names, one a line; ``*`` alone for every type.

    Raises
    ------
    GrammarError
        Where ``*`` stands beside names: whether all are meant, or these, is not guessed.
    """
    types = list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    if EVERY in types and len(types) > 1:
        raise GrammarError("* means every type: write it alone, or only the names")
    return types


def identifiers_of(text: str) -> dict[str, list[str]]:
    """Give the identifiers that a text names: ``key = value, value`` a line; ``*`` alone for any.

    Raises
    ------
    GrammarError
        Where a line has no ``=``, no key or no value, or ``*`` stands beside others.
    """
    found: dict[str, list[str]] = {}
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines == [EVERY]:
        return {EVERY: [EVERY]}
    for line in lines:
        key, equals, rest = (part.strip() for part in line.partition("="))
        values = [value.strip() for value in rest.split(",") if value.strip()]
        if not equals or not key or not values:
            raise GrammarError(f"{line!r}: write key = value, value, or * alone for any identifiers")
        if EVERY in (key, *values):
            raise GrammarError(f"{line!r}: * means any identifiers: write it alone")
        found.setdefault(key, []).extend(value for value in values if value not in found.get(key, []))
    return found


def group_name(text: str) -> str:
    """Give a group's name as it is compared: without white space, and Keycloak's ``/``, before it."""
    return text.strip().removeprefix("/").strip()


def text_of_types(types: object) -> str:
    """Give the text that names types; of what was damaged what can be read, so that it can be mended."""
    return "\n".join(_texts(types))


def text_of_identifiers(identifiers: object) -> str:
    """Give the text that names identifiers; of what was damaged what can be read."""
    if not isinstance(identifiers, Mapping):
        return ""
    if EVERY in identifiers:
        return EVERY
    return "\n".join(f"{key} = {', '.join(_texts(values))}" for key, values in identifiers.items())


def _texts(values: object) -> Iterable[str]:
    return map(str, values) if isinstance(values, list | tuple) else ()
