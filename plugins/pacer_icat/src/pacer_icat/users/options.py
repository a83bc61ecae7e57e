"""The YAML options of a consumer of type ``users``."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from attrs import field, frozen

from pacer_icat.accounts import bare
from pacer_icat.collation import fold
from pacer_icat.spellings import user_name

DISABLED_SUFFIX = "__user_disabled"
PROTECTED = ("root", "admin", "anon")
"""Accounts of administrators and of everybody, as ICAT's authenticators are delivered with."""


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
    protected
        Accounts that no message may touch, beside PACER's own and the administrators whom ICAT tells:
        patterns (``svc-*``) of names behind any authenticator's prefix, or with one (``simple/*``).
    authenticators
        The prefixes that accounts in messages may have (``[db, ldap]``); ``""`` stands for none. Without it,
        any.
    """

    disabled_suffix: str = field(default=DISABLED_SUFFIX, validator=is_suffix)
    protected: tuple[str, ...] = PROTECTED
    authenticators: tuple[str, ...] | None = None

    def why_protected(self, name: str) -> str | None:
        """Tell why the options keep an account from being touched, or ``None``."""
        whole = fold(user_name(name))
        for pattern in self.protected:
            if fnmatchcase(whole if "/" in pattern else bare(whole), fold(user_name(pattern))):
                return "the option 'protected' covers it"
        prefix = whole.partition("/")[0] if "/" in whole else ""
        if self.authenticators is not None and prefix not in map(fold, self.authenticators):
            return "its authenticator is not among the option 'authenticators'"
        return None
