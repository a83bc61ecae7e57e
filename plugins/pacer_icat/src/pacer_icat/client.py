"""What a task gets from ``ctx[ICAT]``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pacer_core import NotYet, PacerError
from pacer_icat.cache import Cache
from pacer_icat.catalogue import Catalogue
from pacer_icat.http import Http
from pacer_icat.jpql import condition
from pacer_icat.options import IcatOptions
from pacer_icat.wire import Poster, Wire

if TYPE_CHECKING:
    from pacer_icat.pythonicat import Client


class Shared:
    """What the threads of a process share: connections, the login, the schema and what was looked up."""

    def __init__(self, options: IcatOptions, poster: Poster | None = None) -> None:
        self.options = options
        self.wire = Wire(
            options, poster or Http(options.endpoint, timeout=options.timeout, ca_file=options.ca_file)
        )
        self.catalogue = Catalogue(self.wire)
        self.counted: Cache[tuple[str, int], float] = Cache(seconds=86400.0)
        """When the totals of an entity were last begun to be counted, in seconds since the epoch."""
        self.zone = self.wire.zone

    def close(self) -> None:
        """Log out and close the connections."""
        self.wire.close()


class IcatClient:
    """ICAT for one thread of a worker: ``ctx[ICAT]``."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared

    @cached_property
    def python_icat(self) -> Client:
        """The python-icat client of this thread, on the process's session and connections."""
        # Imported here: it takes 100 ms, and the consumers do without.
        from pacer_icat.pythonicat import Client

        return Client(self.shared.wire)

    def search(
        self,
        entity: str,
        conditions: Mapping[str, Any] | None = None,
        *,
        includes: Sequence[str] = (),
        limit: int | None = None,
    ) -> list[Any]:
        """Give the python-icat entities that fulfil all conditions, in the order of their ids.

        Conditions go by path, as in ``{"investigation__name": "x", "id__in": [1, 2], "doi__isnull": True}``;
        every value is data, whatever it holds.
        """
        zone = self.shared.zone
        where = [condition(path, value, zone) for path, value in (conditions or {}).items()]
        query = f"SELECT o FROM {entity} o"  # noqa: S608 - a name
        if where:
            query += " WHERE " + " AND ".join(where)
        query += " ORDER BY o.id"
        if includes:
            query += " INCLUDE " + ", ".join(f"o.{path}" for path in includes)
        if limit is not None:
            query += f" LIMIT 0, {int(limit)}"
        return list(self.python_icat.search(query))

    def one(self, entity: str, **conditions: Any) -> Any:
        """Give the one entity that fulfils the conditions: ``icat.one("Investigation", name="x")``.

        Raises
        ------
        NotYet
            Where there is none.
        SeveralError
            Where there are several.
        """
        found = self.search(entity, conditions, limit=2)
        if not found:
            raise NotYet(f"ICAT has no {entity} of this {', '.join(conditions) or 'kind'}")
        if len(found) > 1:
            raise SeveralError(f"ICAT has several {entity} of this {', '.join(conditions)}: add conditions")
        return found[0]

    def new(self, entity: str, **values: Any) -> Any:
        """Make a python-icat entity; its ``create()`` stores it."""
        return self.python_icat.new(entity, **values)


class SeveralError(PacerError):
    """Something that should be one is several."""


@contextmanager
def share(options: IcatOptions) -> Iterator[Shared]:
    """Keep what the threads of a process share; asks ICAT nothing until somebody needs it."""
    shared = Shared(options)
    try:
        yield shared
    finally:
        shared.close()
