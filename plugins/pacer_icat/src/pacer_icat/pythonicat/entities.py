"""What this client's entities can do beyond python-icat's: load relations when asked, write what changed.

python-icat's own classes stay as they are: each client gets subclasses of those it has made for its server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pacer_icat.schema import META


class Extended:
    """Stands before python-icat's class of an entity.

    A relation that is not there yet is asked for when it is first read, and kept. Whether it is there is
    told by python-icat's instance: an included relation is there, though it may be ``None`` or empty. In what
    python-icat's own ``search`` and ``get`` find, all that is not included is empty, as its tools expect.
    """

    # What python-icat gives each entity.
    client: Any
    instance: Any
    BeanName: str
    InstAttr: frozenset[str]
    InstRel: frozenset[str]
    InstMRel: frozenset[str]
    AttrAlias: Mapping[str, str]

    def __getattr__(self, name: str) -> Any:
        if name in ("client", "instance"):
            raise AttributeError(name)  # not made yet: a copy being restored
        if self.lacks(name):
            self.client.loader.load(self.instance, self.AttrAlias.get(name, name))
        return super().__getattr__(name)  # type: ignore[misc]  # python-icat's class comes after this one

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "instance":
            self.forget()
        super().__setattr__(name, value)
        self._note(name)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        self._note(name)

    def lacks(self, name: str) -> bool:
        """Tell whether a relation of an object in ICAT has not been asked for yet."""
        name = self.AttrAlias.get(name, name)
        return (
            (name in self.InstRel or name in self.InstMRel)
            and not hasattr(self.instance, name)
            and is_lazy(self.instance)
            and getattr(self.instance, "id", None) is not None
        )

    def forget(self) -> None:
        """Let go of the lists that python-icat has made of relations to many."""
        for name in self.InstMRel:
            self.__dict__.pop(name, None)

    def get(self, query: str | None = None) -> Any:
        """Read the object anew with all that it refers to, or as a query of python-icat's says."""
        if query is not None:
            return super().get(query)  # type: ignore[misc]  # as above
        self.instance = self.client.loader.read(self.instance)
        return self

    def copy(self) -> Any:
        """Give another object with the same attributes and relations, as far as they are there."""
        made = super().copy()  # type: ignore[misc]  # as above
        for name in self.InstRel:
            if not hasattr(self.instance, name):
                delattr(made.instance, name)
        return made

    def truncateRelations(self, keepInstRel: bool = False) -> None:  # noqa: N802, N803 - python-icat's names
        """Forget relations here; nothing changes in ICAT, not with an update either."""
        noted = changed(self.instance)
        kept = set(noted) if keepInstRel else noted - self.InstRel
        super().truncateRelations(keepInstRel)  # type: ignore[misc]  # as above
        noted.clear()
        noted.update(kept)

    def delete(self) -> None:
        """Delete the object from ICAT, and all below it."""
        self.client.delete(self)

    def _note(self, name: str) -> None:
        name = self.AttrAlias.get(name, name)
        if name in self.InstRel or (name in self.InstAttr and name not in META):
            changed(self.instance).add(name)


def is_lazy(instance: Any) -> bool:
    """Tell whether what an instance lacks is to be asked for."""
    return bool(getattr(instance.__metadata__, "lazy", False))


def changed(instance: Any) -> set[str]:
    """Give the names of the fields that were set since the instance came from ICAT or went there."""
    meta = instance.__metadata__
    if not hasattr(meta, "changed"):
        meta.changed = set()
    names: set[str] = meta.changed
    return names


def extended(typemap: Mapping[str, Any]) -> dict[str, Any]:
    """Give python-icat's classes for a server, each with `Extended` before it."""
    made: dict[Any, Any] = {}
    for cls in set(typemap.values()):
        made[cls] = type(cls.__name__, (Extended, cls), {}) if cls.BeanName is not None else cls
    return {name: made[cls] for name, cls in typemap.items()}
