"""What plans check and look up alike: lengths of texts, and names that have to be in ICAT."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import define, field

from pacer_core import BadField, NotYet
from pacer_icat.schema import Schema


def too_long(texts: Iterable[tuple[str, str, str, str]], schema: Schema) -> list[BadField]:
    """Give the texts that are longer than ICAT has room for.

    Each stands with its path in the message, and the entity and the field of ICAT that it is for.
    """
    bad = []
    for path, entity, name, text in texts:
        longest = schema.length(entity, name)
        if longest is not None and len(text) > longest:
            bad.append(BadField(path, f"is longer than {longest} characters"))
    return bad


@define
class Lookups:
    """Looks several things up, so that all that are missing can be named together."""

    missing: list[str] = field(factory=list)

    def find(self, find: Callable[[], int]) -> int:
        """Give the id that a look-up finds; 0, and a note, where ICAT does not have it yet."""
        try:
            return find()
        except NotYet as not_yet:
            self.missing.append(not_yet.reason)
            return 0

    def check(self) -> None:
        """Wait for what is missing.

        Raises
        ------
        NotYet
            Naming all of it.
        """
        if self.missing:
            raise NotYet("; ".join(self.missing))
