"""The message: what the user office says about one person."""

from __future__ import annotations

from attrs import field, frozen, validators

from pacer_core import Text
from pacer_icat.fields import Words, read_words

_ACCOUNTS = 100  # of one person; one message names no more rows than a query may ask for


@frozen
class Affiliation:
    """Where a person works; texts that are missing are empty."""

    id: int = field(validator=validators.gt(0))
    name: Words = field(default="", converter=read_words)
    code: Words = field(default="", converter=read_words)
    unit: Words = field(default="", converter=read_words)
    department_name: Words = field(default="", converter=read_words)
    department_code: Words = field(default="", converter=read_words)
    city: Words = field(default="", converter=read_words)
    country_code: Words = field(default="", converter=read_words)

    @property
    def text(self) -> str:
        """The affiliation in one line: name, unit and department, as far as they are there."""
        return ", ".join(part for part in (self.name, self.unit, self.department_name) if part)


@frozen
class Account:
    """One of the names under which a person logs in."""

    username: Text


@frozen
class User:
    """One person, with one or several accounts; ``id`` is the user office's."""

    id: int = field(validator=validators.gt(0))
    first_name: Text
    last_name: Text
    email: Text
    enabled: bool
    user_list: tuple[Account, ...] = field(validator=[validators.min_len(1), validators.max_len(_ACCOUNTS)])
    orcid: Text | None = None
    is_staff: bool = False
    affiliation: Affiliation | None = None


def describe(message: User) -> dict[str, str]:
    """Give the identifier by which people look for the message: a number, since names are personal."""
    return {"user": str(message.id)}
