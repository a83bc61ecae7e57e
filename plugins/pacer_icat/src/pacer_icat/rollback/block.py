"""``with icat.rollback() as rb:``: what the block writes is taken back when it fails."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from attrs import frozen

from pacer_core import PacerError, Retry
from pacer_icat.faults import IcatAway, IcatFault
from pacer_icat.query import run
from pacer_icat.query.conditions import Q
from pacer_icat.query.plan import Plan
from pacer_icat.rollback import trees, undo
from pacer_icat.rollback.entries import Created, Deleted, Entry, Key, Unrestored, Updated
from pacer_icat.schema import Field, entity_name
from pacer_icat.soap import Record
from pacer_icat.wire import Wire

if TYPE_CHECKING:
    from pacer_icat.pythonicat import Client

log = logging.getLogger("pacer.icat")


class RollbackError(PacerError):
    """A rollback block that is used in a way that has no meaning."""


@frozen(eq=False)
class Savepoint:
    """A moment in a block to which it can go back."""

    position: int


class Rollback:
    """A block whose writes can be taken back, and are when it ends with an exception.

    It knows of what is written through the entities of one client, and through its python-icat client:
    ``create``, ``createMany``, ``update``, ``delete``, ``deleteMany``. It is no transaction: others see what
    is written at once, and what they have changed since is not touched. It deletes nothing that the block
    did not create.
    """

    def __init__(self, client: Client, wire: Wire) -> None:
        self._client = client
        self._wire = wire
        self._entries: list[Entry] = []
        self._savepoints: list[Savepoint] = []
        self._state = undo.State(wire)

    @property
    def unrestored(self) -> Sequence[Unrestored]:
        """What could not be put back so far."""
        return tuple(self._state.unrestored)

    def savepoint(self) -> Savepoint:
        """Mark this moment."""
        self._check_open()
        made = Savepoint(len(self._entries))
        self._savepoints.append(made)
        return made

    def rollback(self, to: Savepoint | None = None) -> Sequence[Unrestored]:
        """Take back what was written since a savepoint, or since the beginning; the block goes on.

        Gives what could not be put back. Objects in Python keep the values that they have.

        Raises
        ------
        RollbackError
            For a savepoint that is not of this block, or that an earlier rollback has passed.
        """
        self._check_open()
        position = 0
        if to is not None:
            if to not in self._savepoints:
                raise RollbackError("this savepoint is not of this block, or the block went back past it")
            position = to.position
        self._savepoints = [one for one in self._savepoints if one.position < position or one is to]
        return self._back(position)

    def __enter__(self) -> Self:
        if self._client.journal is not None:
            raise RollbackError("blocks do not stand in one another: use a savepoint of the outer one")
        self._client.journal = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.journal = None
        if error is None:
            return
        for one in self._back(0):
            error.add_note(f"not restored: {one}")
            log.warning("not restored after an error: %s", one)

    def _check_open(self) -> None:
        if self._client.journal is not self:
            raise RollbackError("this block is not open: its writes stay")

    def _back(self, position: int) -> Sequence[Unrestored]:
        before = len(self._state.unrestored)
        entries, self._entries[position:] = self._entries[position:], []
        undo.undo(self._state, entries)
        return tuple(self._state.unrestored[before:])

    # --- what the client tells of its writes -----------------------------------------------------------

    @contextmanager
    def creating(self, instances: Sequence[Any]) -> Iterator[Callable[[Sequence[int]], None]]:
        """Note a create; the body tells the ids."""
        entry = Created([entity_name(type(one).__name__) for one in instances], instances)

        def done(ids: Sequence[int]) -> None:
            entry.ids = ids
            self._state.mine.update(entry.keys)

        with self._noted(entry):
            yield done
        for key, instance in zip(entry.keys, instances, strict=True):
            entry.children |= self._children(key, instance)
        self._state.mine |= entry.children

    @contextmanager
    def updating(self, before: Record, values: dict[str, Any]) -> Iterator[None]:
        """Note an update."""
        with self._noted(Updated(before.entity, before.id, before, dict(values))):
            yield

    @contextmanager
    def deleting(self, instances: Sequence[Any]) -> Iterator[None]:
        """Note a delete, with all that goes."""
        roots = [((entity_name(type(one).__name__), int(one.id)), one) for one in instances]
        keys = [key for key, _ in roots]
        gone = trees.records(self._wire, {*keys, *trees.below(self._wire, keys)})
        with self._noted(Deleted(roots, gone)):
            yield

    @contextmanager
    def _noted(self, entry: Entry) -> Iterator[None]:
        # Before the call: where its answer is lost, it may have been done.
        self._entries.append(entry)
        try:
            yield
        except (IcatFault, Retry) as error:
            if not isinstance(error, IcatAway):
                self._entries.remove(entry)  # refused, so nothing was done
            raise

    def _children(self, parent: Key, instance: Any) -> set[Key]:
        """Give the keys of what was created with its parent, level by level."""
        found: set[Key] = set()
        ids: dict[str, list[int]] = {parent[0]: [parent[1]]}
        sent: dict[str, list[Any]] = {parent[0]: [instance]}
        while ids:
            above, ids = ids, {}
            given, sent = sent, {}
            for name, numbers in above.items():
                for field in self._wire.schema.entity(name).fields:
                    if field.relation != "MANY":
                        continue
                    children = [
                        child for one in given[name] for child in getattr(one, field.name, None) or ()
                    ]
                    there = self._members(name, field, numbers) if children else []
                    if len(there) == len(children):  # otherwise somebody else has been here already
                        found.update((field.type, number) for number in there)
                        if there:
                            ids.setdefault(field.type, []).extend(there)
                            sent.setdefault(field.type, []).extend(children)
        return found

    def _members(self, name: str, field: Field, ids: Sequence[int]) -> list[int]:
        back = self._wire.schema.inverse(name, field.name)
        plan = Plan(field.type, (Q(**{f"{back}__in": ids}),), columns=("id",))
        return [row[0] for row in run.values(self._wire, plan)]
