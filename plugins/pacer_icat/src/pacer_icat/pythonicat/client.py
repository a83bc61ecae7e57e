"""An ``icat.Client`` for one thread, and what it does beyond python-icat's own.

Importing it costs 100 ms, and a plain ``icat.Client`` asks the server 56 questions at birth. This one takes
all it needs from what the process knows already. Reading and writing objects go through `pacer_icat.wire`,
which is many times faster than suds; whatever else python-icat can do goes through suds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import Any, Protocol

import icat
import icat.exception
import suds.transport
from icat.entity import Entity as PythonIcatEntity

from pacer_icat.faults import IcatAway, IcatFault
from pacer_icat.pythonicat.beans import EntityError, bean, changes, entity_of, id_of
from pacer_icat.pythonicat.entities import changed, extended
from pacer_icat.pythonicat.loading import Loader, gone
from pacer_icat.pythonicat.transport import Documents, Transport
from pacer_icat.query.paths import inclusion
from pacer_icat.query.run import Found
from pacer_icat.schema import Entity
from pacer_icat.soap import Record, ref
from pacer_icat.wire import Wire

_THROUGH_SUDS = (
    "get",
    "getProperties",
    "getRemainingMinutes",
    "getUserName",
    "isAccessAllowed",
    "refresh",
    "search",
)


class Journal(Protocol):
    """Who has to know what is written: the body of each ``with`` does it."""

    def creating(self, instances: Sequence[Any]) -> AbstractContextManager[Callable[[Sequence[int]], None]]:
        """Hear that objects are created; give what is to be told their ids."""
        ...

    def updating(self, before: Record, values: dict[str, Any]) -> AbstractContextManager[None]:
        """Hear that an object is changed: what it was, and the fields that are sent."""
        ...

    def deleting(self, instances: Sequence[Any]) -> AbstractContextManager[None]:
        """Hear that objects are deleted."""
        ...


class Client(icat.Client):  # type: ignore[misc]  # python-icat has no types
    """An ``icat.Client`` for one thread that shares the process's login and never ends it.

    Calls raise `IcatFault` where ICAT refuses and `IcatAway` where it is away. Its entities are `Extended`.
    """

    typemap: Any  # None until python-icat has read the schema

    def __init__(self, wire: Wire, documents: Documents | None = None) -> None:
        self._wire = wire
        self._documents = documents or Documents()
        self.journal: Journal | None = None
        """Who is told what is written."""
        options = wire.options
        try:
            super().__init__(
                f"{options.endpoint}?wsdl",
                caFile=options.ca_file,
                timeout=options.timeout.total_seconds(),
                cache=self._documents,
                cachingpolicy=0,
            )
        except (OSError, suds.transport.TransportError) as error:
            page = getattr(error, "fp", None)
            if page is not None:
                page.close()  # the page that came instead: suds leaves its connection open
            raise IcatAway(
                f"ICAT does not give its WSDL at {options.endpoint}?wsdl: {type(error).__name__}: {error}"
            ) from error
        self.set_options(transport=Transport(wire), location=options.endpoint)
        self.autoLogout = False
        self.typemap = extended(self.typemap)
        self.loader = Loader(wire, self.factory.resolver)
        """What makes instances, and asks for what they lack."""
        for name in _THROUGH_SUDS:
            setattr(self, name, self._guarded(name, getattr(self, name)))

    # --- what the process knows already ----------------------------------------------------------------

    @property
    def sessionId(self) -> str | None:  # noqa: N802 - python-icat's name
        """The session of the process: logged in, and renewed in time."""
        if getattr(self, "typemap", None) is None:
            return None  # still under construction
        return self._wire.session.id()

    @sessionId.setter
    def sessionId(self, value: str | None) -> None:  # noqa: N802 - python-icat's name
        """Ignore what python-icat sets: the session is not this client's own."""

    def login(self, auth: str, credentials: Any) -> str:
        """Refuse: who is logged in is told by the options of the integration.

        Raises
        ------
        EntityError
            Always.
        """
        raise EntityError("this client shares the login of its process: configure another integration")

    def logout(self) -> None:
        """Leave the session to the other threads; the process logs out at its end."""

    def clone(self) -> Client:
        """Make another client of the same process and session, for another thread."""
        return Client(self._wire, self._documents)

    def getApiVersion(self) -> str:  # noqa: N802 - python-icat's name
        """Give the server's version, asked for once in the process."""
        return self._wire.version()

    def getEntityNames(self) -> list[str]:  # noqa: N802 - python-icat's name
        """Give the names of all entities, asked for once in the process."""
        return self._wire.entity_names()

    def getEntityInfo(self, beanName: str) -> Any:  # noqa: N802, N803 - python-icat's names
        """Give the schema of one entity, asked for once in the process."""
        return _info(self._wire.schema.entity(beanName))

    # --- objects ---------------------------------------------------------------------------------------

    def new(self, obj: Any, **values: Any) -> Any:
        """Make an entity: a new one by its name, or around an instance; ``None`` for ``None``."""
        cls = self.typemap.get(obj.lower()) if isinstance(obj, str) else None
        if cls is None or cls.BeanName is None:
            return super().new(obj, **values)
        # suds would build a tree of all relations, to be thrown away: a hundred times the work.
        return cls(self, self.loader.bare(cls.getInstanceName()), **values)

    def entity(self, found: Found) -> Any:
        """Make an entity of what a query has found."""
        return super().new(self.loader.instance(found))

    def prefetch(self, objects: Sequence[Any], paths: Sequence[str]) -> None:
        """Ask for the relations that objects lack, by paths; in a query for each entity among them.

        Raises
        ------
        QueryError
            Where a path does not lead over relations.
        """
        by_entity: dict[str, list[Any]] = {}
        for one in objects:
            by_entity.setdefault(one.BeanName, []).append(one.instance)
        for name, instances in by_entity.items():
            self.loader.prefetch(
                instances, inclusion(self._wire.schema, self._wire.schema.entity(name), paths)
            )

    def create(self, bean: Any) -> int:
        """Create an object with its children; give its id."""
        (number,) = self._create([bean], lambda beans: [self._wire.create(beans[0])])
        return number

    def createMany(self, beans: Iterable[Any]) -> list[int]:  # noqa: N802 - python-icat's name
        """Create several objects, all or none; give their ids in order."""
        return self._create(list(beans), self._wire.create_many)

    def update(self, bean: Any) -> None:
        """Write the fields of an object that were set since it was read; the others stay as ICAT has them."""
        instance = PythonIcatEntity.getInstance(bean)
        entity = entity_of(instance, self._wire)
        number = id_of(instance, "be updated: create it first")
        names = changed(instance)
        values = changes(instance, sorted(names), self._wire)
        if not values:
            return
        before = self._wire.read(entity.name, number)
        if before is None:
            raise gone(entity, number, "update")
        with self.journal.updating(before, values) if self.journal else nullcontext():
            self._wire.update(before, **values)
        names.clear()

    def delete(self, bean: Any) -> None:
        """Delete an object and all below it."""
        self.deleteMany([bean])

    def deleteMany(self, beans: Iterable[Any]) -> None:  # noqa: N802 - python-icat's name
        """Delete several objects, and all below them, all or none."""
        instances = [PythonIcatEntity.getInstance(one) for one in beans]
        references = [ref(entity_of(one, self._wire).name, id_of(one, "be deleted")) for one in instances]
        with self.journal.deleting(instances) if self.journal else nullcontext():
            self._wire.delete_many(references)

    def _create(self, objects: Sequence[Any], send: Callable[[list[Any]], list[int]]) -> list[int]:
        for one in objects:
            if getattr(one, "validate", None):
                one.validate()
        instances = [PythonIcatEntity.getInstance(one) for one in objects]
        beans = [bean(one, self._wire) for one in instances]
        with self.journal.creating(instances) if self.journal else nullcontext() as done:
            ids = send(beans)
            if done is not None:
                done(ids)
        for one in instances:
            changed(one).clear()
        return ids

    def _guarded(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*arguments: Any) -> Any:
            def attempt(_: str) -> Any:
                try:
                    return call(*arguments)
                except icat.exception.ICATError as error:
                    offset = -1 if error.offset is None else error.offset
                    raise IcatFault(str(error.type or "INTERNAL"), error.message, offset, name) from None

            return self._wire.repeating(attempt, name)

        return guarded


def _info(entity: Entity) -> SimpleNamespace:
    """Give the schema in the shape of suds' answer to getEntityInfo, which python-icat reads both ways."""
    return _Fields(
        classComment="",
        constraints=[_Fields(fieldNames=list(entity.key))],
        fields=[
            _Fields(
                name=field.name,
                type=field.type,
                relType=field.relation,
                notNullable=field.required,
                **({} if field.length is None else {"stringLength": field.length}),
            )
            for field in entity.fields
        ],
    )


class _Fields(SimpleNamespace):
    """Fields that are read as attributes or as items."""

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)
