"""python-icat's instances made of what ICAT has answered, and asking for the relations that they lack."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from suds.sudsobject import Factory

from pacer_icat.faults import IcatFault
from pacer_icat.pythonicat.beans import entity_of, id_of
from pacer_icat.query import run
from pacer_icat.query.conditions import Q
from pacer_icat.query.paths import Tree
from pacer_icat.query.plan import Plan
from pacer_icat.query.run import Found
from pacer_icat.schema import Entity, bean_name
from pacer_icat.soap import Record
from pacer_icat.wire import Wire


class Loader:
    """Makes instances for one python-icat client.

    Parameters
    ----------
    wire
        The way to ICAT.
    resolver
        What knows suds' types of the client's WSDL.
    """

    def __init__(self, wire: Wire, resolver: Any) -> None:
        self._wire = wire
        self._resolver = resolver
        self._types: dict[str, Any] = {}

    def instance(self, found: Found) -> Any:
        """Give what a query has found as an instance, with the relations that came along and no others."""
        return self._made(found.record, found.tree)

    def read(self, instance: Any) -> Any:
        """Give an object anew, with all that it refers to.

        Raises
        ------
        IcatFault
            Where it is not there, or there any more.
        """
        entity = entity_of(instance, self._wire)
        number = id_of(instance, "be read: create it first")
        references = [field.name for field in entity.to_one]
        found = next(run.by_id(self._wire, entity.name, [number], references), None)
        if found is None:
            raise gone(entity, number, "get")
        return self.instance(found)

    def load(self, instance: Any, relation: str) -> None:
        """Ask for one relation of an object.

        Raises
        ------
        IcatFault
            Where the object is not there any more.
        """
        self.prefetch([instance], Tree({relation: Tree()}))
        if not hasattr(instance, relation):
            raise gone(entity_of(instance, self._wire), instance.id, "search")

    def prefetch(self, instances: Sequence[Any], tree: Tree) -> None:
        """Ask for the relations that instances of one entity lack, for all of them at once."""
        if not instances or not tree:
            return
        lacking = [one for one in instances if not all(hasattr(one, relation) for relation in tree)]
        wanted = Tree(
            (relation, below)
            for relation, below in tree.items()
            if any(not hasattr(one, relation) for one in lacking)
        )
        here = [(one, [name for name in tree if hasattr(one, name)]) for one in instances]
        if wanted:
            self._fetch(lacking, wanted)
        for relation, below in tree.items():
            self.prefetch(_tops([one for one, names in here if relation in names], relation), below)

    def _fetch(self, instances: Sequence[Any], tree: Tree) -> None:
        entity = entity_of(instances[0], self._wire)
        if len(instances) == 1 and len(tree) == 1:
            (relation,) = tree
            if entity.field(relation).relation == "MANY" and not tree[relation]:
                self._members(instances[0], entity, relation)
                return
        ids = list(dict.fromkeys(id_of(one, "be asked for what belongs to it") for one in instances))
        found = {one.record.id: one for one in run.by_id(self._wire, entity.name, ids, _paths(tree))}
        for instance in instances:
            if instance.id not in found:
                continue  # gone meanwhile
            other = self.instance(found[instance.id])
            for relation, below in tree.items():
                if hasattr(instance, relation):
                    continue
                if not hasattr(other, relation):  # more than fit in one answer
                    self._members(instance, entity, relation)
                    self.prefetch(_tops([instance], relation), below)
                    continue
                setattr(instance, relation, getattr(other, relation))
                if entity.field(relation).relation == "MANY":
                    self._own(instance, entity, relation, instead_of=other)

    def _members(self, instance: Any, entity: Entity, relation: str) -> None:
        """Ask for the members of a relation to many of one object, however many they are."""
        field = entity.field(relation)
        back = self._wire.schema.inverse(entity.name, relation)
        plan = Plan(field.type, (Q(**{back: id_of(instance, f"have {relation}")}),))
        setattr(instance, relation, [self.instance(one) for one in run.objects(self._wire, plan)])
        self._own(instance, entity, relation)

    def _own(self, instance: Any, entity: Entity, relation: str, instead_of: Any = None) -> None:
        """Let the members of a relation to many know whose they are, unless that was asked for with more."""
        back = self._wire.schema.inverse(entity.name, relation)
        for member in getattr(instance, relation):
            if getattr(member, back, None) is instead_of:
                setattr(member, back, instance)

    def _made(self, record: Record, tree: Tree) -> Any:
        """Give a record as python-icat's instance, with the relations of the tree and no others."""
        instance = self.bare(bean_name(record.entity))
        entity = self._wire.schema.entity(record.entity)
        for name, value in record.values.items():
            if name not in tree:
                setattr(instance, name, value)
        for relation, below in tree.items():
            found = record[relation]
            if entity.field(relation).relation == "ONE":
                setattr(instance, relation, None if found is None else self._made(found, below))
                continue
            members = [self._made(one, below) for one in found or ()]
            back = self._wire.schema.inverse(entity.name, relation)
            for member in members:
                if not hasattr(member, back):
                    setattr(member, back, instance)
            setattr(instance, relation, members)
        return instance

    def bare(self, name: str) -> Any:
        """Give an instance that holds nothing, by its name in XML."""
        instance = Factory.object(name)
        if name not in self._types:
            self._types[name] = self._resolver.find(name)
        instance.__metadata__.sxtype = self._types[name]
        instance.__metadata__.lazy = True
        return instance


def gone(entity: Entity, number: int, call: str) -> IcatFault:
    """Give what ICAT says of an object that it does not have."""
    return IcatFault("NO_SUCH_OBJECT_FOUND", f"{entity.name}[id:{number}] not found.", call=call)


def _tops(instances: Iterable[Any], relation: str) -> list[Any]:
    """Give the instances at the other ends of a relation of several, where it is there."""
    found: list[Any] = []
    for instance in instances:
        there = getattr(instance, relation, None)
        if isinstance(there, list):
            found += there
        elif there is not None:
            found.append(there)
    return found


def _paths(tree: Tree) -> list[str]:
    found = []
    for relation, below in tree.items():
        found += [f"{relation}.{path}" for path in _paths(below)] or [relation]
    return found
