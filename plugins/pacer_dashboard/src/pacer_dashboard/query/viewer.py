"""Who asks, and what he may: rules over type and identifiers. Without a rule that says so, nothing."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from enum import Enum
from typing import Protocol

from attrs import field, frozen


class Right(Enum):
    """What a rule lets people do with the messages that it is about."""

    VIEW = "view"
    ACT = "act"
    """Acknowledge, resolve, and the like."""
    REINGEST = "reingest"
    PERSONAL = "personal"
    """See payloads, and find messages by what is in them."""


class Seen(Protocol):
    """What a rule looks at in a message."""

    @property
    def type(self) -> str:
        """The type of its first stage."""
        ...

    @property
    def identifiers(self) -> Mapping[str, str]:
        """Its identifiers."""
        ...


def _frozen(identifiers: Mapping[str, frozenset[str]]) -> Mapping[str, frozenset[str]]:
    return {key: frozenset(values) for key, values in identifiers.items()}


@frozen
class Rule:
    """Rights on the messages of some types that have some identifiers.

    Attributes
    ----------
    types
        The types; ``None`` is every type, the empty set none.
    identifiers
        By key, the values of which a message has to have one, for all keys alike. Without keys, every message
        of the types; with a key that has no values, none.
    rights
        What may be done with them. Whoever may do anything with a message may see it.
    """

    types: frozenset[str] | None
    identifiers: Mapping[str, frozenset[str]] = field(factory=dict, converter=_frozen)
    rights: frozenset[Right] = frozenset({Right.VIEW})

    def covers(self, message: Seen) -> bool:
        """Tell whether the rule is about a message."""
        return (self.types is None or message.type in self.types) and all(
            message.identifiers.get(key) in values for key, values in self.identifiers.items()
        )

    def gives(self, right: Right) -> bool:
        """Tell whether it gives a right; every rule that gives any gives that to see."""
        return right in self.rights or (right is Right.VIEW and bool(self.rights))


@frozen
class Viewer:
    """Somebody who asks. Each rule gives by itself; what none gives is not given."""

    name: str
    rules: tuple[Rule, ...] = ()
    everything: bool = False
    """Every right on every message, whatever the rules."""
    account: int | None = None
    """The number of the account, if he has one: a name can be another's one day."""
    token: int | None = None
    """The number of the token that was shown, if one was."""

    def may(self, right: Right, message: Seen) -> bool:
        """Tell whether he has a right on a message."""
        return self.everything or any(one.gives(right) and one.covers(message) for one in self.rules)

    def has(self, right: Right) -> bool:
        """Tell whether there is any message, in principle, on which he has a right."""
        return self.everything or any(one.gives(right) for one in self.rules)

    def has_everywhere(self, right: Right) -> bool:
        """Tell whether he has a right on every message, whatever its type and identifiers."""
        return self.everything or any(
            one.gives(right) and one.types is None and not one.identifiers for one in self.rules
        )

    def key(self) -> Hashable:
        """Give what all have in common who see the same."""
        if self.everything:
            return True
        return frozenset(
            (one.types, frozenset(one.identifiers.items()), one.rights) for one in self.rules if one.rights
        )


EVERYTHING = Viewer("everything", everything=True)
"""For tests and commands: whoever can run them can read the database."""
NOBODY = Viewer("")
"""Who has not said who he is: sees nothing, and has no account's name."""
