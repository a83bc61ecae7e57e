"""An object on its way into the catalogue, as a request carries it."""

from attrs import define, field

from pacer_sandbox.lexical import Value
from pacer_sandbox.schema import Entity


@define(eq=False)
class Bean:
    """What a request says of one object: its id, attributes, references and children.

    ``values`` holds the attributes that were sent (``None`` for an explicit null). ``ones`` holds the
    objects referred to, each with what was sent of it, and ``None`` for a reference set to null.
    """

    entity: Entity
    id: int | None = None
    values: dict[str, Value] = field(factory=dict)
    ones: "dict[str, Bean | None]" = field(factory=dict)
    manies: "dict[str, list[Bean]]" = field(factory=dict)

    def reference(self, name: str) -> int | None:
        """Return the id of the object that the to-one field ``name`` refers to."""
        other = self.ones.get(name)
        return None if other is None else other.id
