"""The YAML options of a consumer of type ``users``."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

DISABLED_SUFFIX = "__user_disabled"


def is_suffix(_: Any, __: Any, suffix: str) -> None:
    """Refuse what would leave a name as it is for ICAT.

    Raises
    ------
    ValueError
        Where it is empty or has blanks at its ends.
    """
    if not suffix or suffix != suffix.strip():
        raise ValueError("has to be a text without blanks at its ends")


@frozen
class UsersOptions:
    """How a facility keeps its users in ICAT.

    Attributes
    ----------
    disabled_suffix
        What is put behind the name of a user who is not enabled, so that nobody can log in as them.
    """

    disabled_suffix: str = field(default=DISABLED_SUFFIX, validator=is_suffix)
