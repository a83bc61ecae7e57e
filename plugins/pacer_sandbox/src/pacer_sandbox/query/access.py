"""What a user may read, as far as queries need to know."""

from collections.abc import Mapping
from typing import Protocol

from attrs import Factory, frozen

from pacer_sandbox.query.scope import Stored


@frozen
class Restriction:
    """The objects that a user may read: those whose id one of the sub-selects finds; none without any."""

    selects: tuple[str, ...]
    parameters: Mapping[str, Stored] = Factory(dict)

    def condition(self, column: str) -> str:
        """Return the condition on an id, in SQL."""
        return "(" + " OR ".join(f"{column} IN ({select})" for select in self.selects) + ")"


class Access(Protocol):
    """The rights of one user."""

    @property
    def user(self) -> str:
        """The user's name, with the authenticator's mnemonic."""
        ...

    def readable(self, entity: str) -> Restriction | None:
        """Return what restricts reading of an entity, or ``None`` where all of it may be read."""
        ...

    def open_step(self, origin: str, field: str) -> bool:
        """Tell whether INCLUDE may follow a relation without looking at the rules of its end."""
        ...
