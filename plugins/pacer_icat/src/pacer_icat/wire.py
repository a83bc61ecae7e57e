"""Calls to ICAT: sessions, deadlocks and faults are dealt with here, once for all threads of a process."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from lxml import etree

from pacer_core import Retry
from pacer_icat import soap
from pacer_icat.faults import IcatAway, IcatFault
from pacer_icat.jpql import bind
from pacer_icat.options import IcatOptions
from pacer_icat.schema import Entity, Schema
from pacer_icat.session import Session
from pacer_icat.soap import Bean, Record
from pacer_icat.times import zone_of

log = logging.getLogger("pacer.icat")

T = TypeVar("T")

_TRIES_AGAINST_DEADLOCK = 8
_PAGE = 5000
"""Rows of one answer: under ``maxEntities``, which is 10 000 unless the site changed it."""


class Poster(Protocol):
    """Whoever carries envelopes: `pacer_icat.http.Http`, or a test that lets calls fail."""

    def post(self, body: bytes) -> tuple[int, bytes]:
        """Send one envelope; give the status and the body of the answer."""
        ...

    def close(self) -> None:
        """Let the connections go."""
        ...


class Wire:
    """ICAT's operations with plain values; safe to use from many threads.

    Every call logs in where needed, once more after ICAT has lost the session, and is repeated a few times
    when the database gave it up for another transaction (deadlock).
    """

    def __init__(self, options: IcatOptions, poster: Poster) -> None:
        self.options = options
        self.calls = 0
        """Requests sent so far, for tests and benchmarks."""
        self.zone = zone_of(options.time_zone)
        """The facility's time zone; ``None`` for this machine's."""
        self.schema = Schema(self._entity)
        self.session = Session(options, self._ask)
        self._poster = poster
        self._version = ""
        self._names: tuple[str, ...] = ()

    def search(self, query: str, /, **values: Any) -> list[Any]:
        """Give what a query finds: `Record` objects, scalars, or tuples where it selects several columns.

        ``:name`` in the query stands for one of the values, or for several: ``IN (:names)``. Times become
        literals by the clock of the facility.
        """
        text = bind(query, values, self.zone)
        return [soap.value_of(node, self.schema) for node in self.call("search", [("query", text)])]

    def search_all(self, query: str, /, **values: Any) -> list[Any]:
        """Give what a query finds, page by page; it needs an ORDER BY that leaves nothing open."""
        found: list[Any] = []
        while True:
            page = self.search(f"{query} LIMIT {len(found)}, {_PAGE}", **values)
            found += page
            if len(page) < _PAGE:
                return found

    def read(self, entity: str, id: int) -> Record | None:  # noqa: A002 - ICAT's word
        """Give one object with all that it refers to, or ``None`` where it is gone."""
        rows = self.search(f"SELECT o FROM {entity} o WHERE o.id = :id INCLUDE 1", id=id)  # noqa: S608 - a name
        return rows[0] if rows else None

    def create(self, bean: Bean) -> int:
        """Create an object with its children in one transaction; give its id."""
        return int(self.call("create", [("bean", bean)])[0].text or "")

    def create_many(self, beans: Sequence[Bean]) -> list[int]:
        """Create several objects in one transaction, all or none; give their ids in order."""
        if not beans:
            return []
        nodes = self.call("createMany", [("beans", bean) for bean in beans])
        return [int(node.text or "") for node in nodes]

    def update(self, record: Record, **changes: Any) -> None:
        """Change some fields of an object that was read with all that it refers to (`read`).

        ICAT's own update sets whatever is not sent to null, so everything is sent.
        """
        entity = self.schema.entity(record.entity)
        values: dict[str, Any] = {"id": record.id}
        for field in entity.attributes:
            values[field.name] = record[field.name]
        for field in entity.to_one:
            related = record[field.name]
            if related is not None:
                values[field.name] = reference(related)
        values.update(changes)
        self.call("update", [("bean", Bean(record.entity, values))])

    def delete_many(self, beans: Sequence[Bean]) -> None:
        """Delete several objects, and all below them, in one transaction."""
        if beans:
            self.call("deleteMany", [("beans", bean) for bean in beans])

    def version(self) -> str:
        """Give the server's version, asked for once; needs no session."""
        if not self._version:
            self._version = self._about("getApiVersion", [])[0].text or ""
        return self._version

    def entity_names(self) -> list[str]:
        """Give the names of all entities, asked for once; needs no session."""
        if not self._names:
            self._names = tuple(node.text or "" for node in self._about("getEntityNames", []))
        return list(self._names)

    def remaining_minutes(self) -> float:
        """Give how long the session will still hold: a harmless call that needs a login."""
        return float(self.call("getRemainingMinutes", [])[0].text or "0")

    def call(self, operation: str, arguments: Sequence[tuple[str, Any]]) -> list[etree._Element]:
        """Send an operation with the session's id; give its ``return`` elements.

        Raises
        ------
        IcatFault
            Where ICAT refuses.
        IcatAway
            Where it does not answer, or its database is away.
        """
        return self.repeating(
            lambda session: self._ask(operation, [("sessionId", session), *arguments]), operation
        )

    def repeating(self, send: Callable[[str], T], operation: str) -> T:
        """Call ``send(session)`` until ICAT has taken or refused it: past lost sessions and deadlocks."""
        logins = deadlocks = 0
        while True:
            session = self.session.id()
            try:
                return send(session)
            except IcatFault as fault:
                if fault.type == "SESSION" and not logins:
                    logins += 1
                    self.session.lost(session)
                elif fault.is_deadlock:
                    deadlocks += 1
                    if deadlocks == _TRIES_AGAINST_DEADLOCK:
                        raise Retry(
                            f"{operation} met a deadlock in ICAT's database {deadlocks} times"
                        ) from None
                    time.sleep(random.uniform(0.01, 0.05 * deadlocks))  # noqa: S311 - jitter
                elif fault.is_away or fault.type == "SESSION":
                    raise IcatAway(str(fault), counted=False) from None
                else:
                    raise

    def post(self, body: bytes) -> tuple[int, bytes]:
        """Send one envelope that is written already; give the status and the body of the answer."""
        self.calls += 1
        return self._poster.post(body)

    def close(self) -> None:
        """Log out and close the connections."""
        self.session.close()
        self._poster.close()

    def _ask(self, operation: str, arguments: Sequence[tuple[str, Any]]) -> list[etree._Element]:
        body = soap.write(operation, arguments, self.schema)
        status, answer = self.post(body)
        return soap.read(answer, status, operation, self.options.endpoint)

    def _entity(self, name: str) -> Entity:
        return soap.entity_of(name, self._about("getEntityInfo", [("beanName", name)])[0])

    def _about(self, operation: str, arguments: Sequence[tuple[str, Any]]) -> list[etree._Element]:
        """Ask what no message has a part in; where that fails inside ICAT, twice, no message is to blame."""
        try:
            return self._ask(operation, arguments)
        except IcatFault as fault:
            if fault.type != "INTERNAL":
                raise
        try:
            return self._ask(operation, arguments)
        except IcatFault as fault:
            raise IcatAway(str(fault), counted=False) from None


def reference(record: Record) -> Bean:
    """Refer to what was read; parameter types go with their flags, since ICAT checks against those."""
    if record.entity == "ParameterType":
        return parameter_type(record)
    return soap.ref(record.entity, record.id)


_FLAGS = (
    "name",
    "units",
    "valueType",
    "applicableToDataCollection",
    "applicableToDatafile",
    "applicableToDataset",
    "applicableToInvestigation",
    "applicableToSample",
    "enforced",
    "minimumNumericValue",
    "maximumNumericValue",
)


def parameter_type(record: Record) -> Bean:
    """Refer to a parameter type so that ICAT can check a value: it reads the flags from the request."""
    return soap.ref("ParameterType", record.id, **{name: record[name] for name in _FLAGS})
