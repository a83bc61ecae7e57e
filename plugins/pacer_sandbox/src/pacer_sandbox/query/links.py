"""How entities hang together: the relations that a concise query leaves out."""

from collections.abc import Iterable

from pacer_sandbox.errors import ErrorType, IcatError
from pacer_sandbox.query import tree
from pacer_sandbox.schema import Entity, Field, Schema


def known(name: str, schema: Schema) -> Entity:
    """Return the entity of a name."""
    if name not in schema:
        raise IcatError("BAD_PARAMETER", f"{name} is not an ICAT entity")
    return schema[name]


def include_steps(entity: Entity, names: Iterable[str], schema: Schema) -> tree.Include:
    """Return the steps that lead from an entity to the ones to include.

    From what a to-one relation leads to, only further to-one relations are followed.
    """
    wanted = {known(name, schema).name for name in names}
    _check_includes(entity, wanted, schema)
    steps: list[tree.Step] = []
    _add_steps(entity, f"{entity.name}$", wanted, True, schema, steps)
    return tree.Include(tuple(steps))


def _add_steps(
    entity: Entity, alias: str, wanted: set[str], cascade: bool, schema: Schema, steps: list[tree.Step]
) -> None:
    for field in _relations(entity):
        if field.type in wanted and (cascade or field.rel_type == "ONE"):
            end = f"{field.type}_$"
            steps.append(tree.Step(f"{alias}.{field.name}", end, 0))
            _add_steps(
                schema[field.type], end, wanted - {field.type}, field.rel_type == "MANY", schema, steps
            )


def _check_includes(entity: Entity, wanted: set[str], schema: Schema) -> None:
    unreached = wanted - _reach(entity, wanted | {entity.name}, schema, include=True).keys() - {entity.name}
    if unreached:
        raise IcatError(
            "BAD_PARAMETER", f"Unable to reach {', '.join(sorted(unreached))} in list of INCLUDES."
        )


def joins(entity: Entity, ends: list[Entity], schema: Schema) -> list[tree.Source]:
    """Return the joins that lead from an entity to all the others.

    Raise ``IcatError`` where one cannot be reached, or in more than one way.
    """
    wanted = {end.name for end in ends} | {entity.name}
    reached = _reach(entity, wanted, schema, include=False)
    unreached = wanted - reached.keys() - {entity.name}
    if unreached:
        raise IcatError("BAD_PARAMETER", f"Unable to reach {', '.join(sorted(unreached))}")
    return [
        tree.Source(f"{alias_of(start)}.{field.name}", f"{field.type}$", "JOIN", 0)
        for start, field in reached.values()
    ]


def _reach(
    start: Entity, wanted: set[str], schema: Schema, *, include: bool
) -> dict[str, tuple[Entity, Field]]:
    """Return by which relation each wanted entity is reached, in the order of the steps."""
    reached: dict[str, tuple[Entity, Field]] = {}

    def follow(before: Entity | None, entity: Entity, cascade: bool) -> None:
        for field in _relations(entity):
            if field.type not in wanted or (before is not None and field.type == before.name):
                continue
            if not cascade and field.rel_type == "MANY":
                continue
            if field.type in reached or field.type == start.name:
                way = f"{'' if before is None else before.name} -> {entity.name} -> {field.type}"
                # Over <-> the real server trips over the missing predecessor of the first entity.
                kind: ErrorType = "INTERNAL" if before is None and not include else "BAD_PARAMETER"
                message = (
                    f"Can't have loop in graph of entities. '{field.type}' was encountered twice"
                    f" following {way}{' in list of INCLUDES.' if include else ''}"
                )
                raise IcatError(kind, message)
            reached[field.type] = entity, field
            follow(entity, schema[field.type], not include or field.rel_type == "MANY")

    follow(None, start, True)
    return reached


def _relations(entity: Entity) -> Iterable[Field]:
    return (field for field in entity.fields if field.rel_type != "ATTRIBUTE")


def alias_of(entity: Entity) -> str:
    """Return the variable by which the rewritten query knows an entity."""
    return f"{entity.name}$"
