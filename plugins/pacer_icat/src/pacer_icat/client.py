"""What a task gets from ``ctx[ICAT]``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

from pacer_icat.accounts import Accounts
from pacer_icat.cache import Cache
from pacer_icat.catalogue import Catalogue
from pacer_icat.filecounts import FileCounts
from pacer_icat.http import Http
from pacer_icat.options import IcatOptions
from pacer_icat.query import Objects, Q
from pacer_icat.query.objects import SeveralError
from pacer_icat.query.plan import Plan
from pacer_icat.query.run import Found
from pacer_icat.rollback import Rollback
from pacer_icat.wire import Poster, Wire

if TYPE_CHECKING:
    from pacer_icat.pythonicat import Client, Documents

__all__ = ["IcatClient", "SeveralError", "Shared", "connect", "share"]

Order = str | tuple[str, str]


class Shared:
    """What the threads of a process share: connections, the login, the schema and what was looked up."""

    def __init__(self, options: IcatOptions, poster: Poster | None = None) -> None:
        self.options = options
        self.wire = Wire(
            options, poster or Http(options.endpoint, timeout=options.timeout, ca_file=options.ca_file)
        )
        self.catalogue = Catalogue(self.wire)
        self.accounts = Accounts(options, self.wire)
        self.counts = FileCounts(options, self.wire)
        self.counted: Cache[tuple[str, int], float] = Cache(seconds=86400.0)
        """When the totals of an entity were last begun to be counted, in seconds since the epoch."""
        self.zone = self.wire.zone
        self._documents: Documents | None = None
        self._lock = Lock()

    def python_icat(self) -> Client:
        """Make a python-icat client for one thread; the first one of the process fetches the WSDL."""
        # Imported here: it takes 100 ms, and the consumers do without.
        from pacer_icat.pythonicat import Client, Documents

        with self._lock:
            if self._documents is None:
                documents = Documents()
                client = Client(self.wire, documents)
                self._documents = documents
                return client
        return Client(self.wire, self._documents)

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
        return self.shared.python_icat()

    @property
    def calls(self) -> int:
        """How many calls to ICAT the threads of this process have made: for tests, and for benchmarks."""
        return self.shared.wire.calls

    # --- asking ----------------------------------------------------------------------------------------

    def objects(self, entity: str) -> Objects:
        """Ask for objects of an entity, lazily: ``icat.objects("Dataset").filter(name="x").count()``."""
        return Objects(self.shared.wire, self._entity, Plan(entity))

    def search(
        self,
        entity: str,
        conditions: Q | Mapping[str, Any] | None = None,
        *,
        attributes: str | Sequence[str] | None = None,
        order: Order | Sequence[Order] = (),
        includes: str | Sequence[str] = (),
        limit: int | tuple[int, int] | None = None,
        flatten_single: bool = False,
    ) -> Any:
        """Give the objects that fulfil all conditions, by their ids where no order is asked for.

        Parameters
        ----------
        entity
            Its name: ``Dataset``.
        conditions
            By path and operator, as in ``{"investigation__name": "x", "id__in": [1, 2]}``, or a `Q`. Every
            value is data, whatever it holds.
        attributes
            Give these instead of objects: values where it is one path, tuples where it is several.
        order
            Paths; ``"-startDate"`` and ``("startDate", "DESC")`` descend.
        includes
            Relations to bring along: ``["investigation", "parameters.type"]``.
        limit
            How many at most, or how many to skip and how many then.
        flatten_single
            Give the only one instead of a list of one, and ``None`` instead of an empty list.

        Raises
        ------
        QueryError
            For a name that ICAT does not know, and a value that its field cannot have.
        """
        asked = self.objects(entity).filter(
            conditions if isinstance(conditions, Q) else Q(**(conditions or {}))
        )
        asked = asked.order_by(*map(_path, _several(order))).include(*_several(includes))
        if limit is not None:
            skip, number = (0, limit) if isinstance(limit, int) else limit
            asked = asked[skip : skip + number]
        found: list[Any]
        if attributes is None:
            found = list(asked)
        elif isinstance(attributes, str):
            found = [value for (value,) in asked.values(attributes).rows()]
        else:
            found = list(asked.values(*attributes).rows())
        if flatten_single and len(found) < 2:
            return found[0] if found else None
        return found

    def one(self, entity: str, **conditions: Any) -> Any:
        """Give the one object that fulfils the conditions: ``icat.one("Investigation", name="x")``.

        Raises
        ------
        NotYet
            Where there is none.
        SeveralError
            Where there are several.
        """
        return self.objects(entity).filter(**conditions).one()

    def prefetch(self, objects: Iterable[Any], *paths: str) -> None:
        """Ask for relations of objects that are not there yet, for all of them at once.

        ``icat.prefetch(datasets, "investigation", "parameters.type")`` takes a query for some hundred
        objects; what is read from them afterwards asks nothing.
        """
        self.python_icat.prefetch(list(objects), paths)

    # --- writing ---------------------------------------------------------------------------------------

    def new(self, entity: str, **values: Any) -> Any:
        """Make an entity; its ``create()`` stores it."""
        return self.python_icat.new(entity, **values)

    def rollback(self) -> Rollback:
        """Begin a block whose writes are taken back when it fails: ``with icat.rollback() as rb:``."""
        return Rollback(self.python_icat, self.shared.wire)

    def _entity(self, found: Found) -> Any:
        return self.python_icat.entity(found)


def _several(given: Any) -> Sequence[Any]:
    """Give what may be one, or several, as several."""
    is_one = isinstance(given, str) or (
        isinstance(given, tuple) and len(given) == 2 and given[1] in ("ASC", "DESC")
    )
    return (given,) if is_one else given


def _path(order: Order) -> str:
    if isinstance(order, str):
        return order
    path, direction = order
    return f"-{path}" if direction == "DESC" else path


@contextmanager
def share(options: IcatOptions) -> Iterator[Shared]:
    """Keep what the threads of a process share; asks ICAT nothing until somebody needs it."""
    shared = Shared(options)
    try:
        yield shared
    finally:
        shared.close()


@contextmanager
def connect(options: IcatOptions) -> Iterator[IcatClient]:
    """Give a script its client; the end of the block logs out."""
    with share(options) as shared:
        yield IcatClient(shared)
