"""python-icat over our own connections, session and schema: the only door to it, opened when first needed.

Importing it costs 100 ms, and a plain ``icat.Client`` asks the server 56 questions at birth. This one reads
the WSDL and takes the rest from what the process knows already.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import icat
import icat.exception
import suds.transport
from suds.cache import NoCache

from pacer_icat.faults import IcatAway, IcatFault
from pacer_icat.schema import Entity
from pacer_icat.wire import Wire

_WITH_SESSION = (
    "create",
    "createMany",
    "delete",
    "deleteMany",
    "get",
    "getProperties",
    "getRemainingMinutes",
    "getUserName",
    "isAccessAllowed",
    "search",
    "update",
)


class Client(icat.Client):  # type: ignore[misc]  # python-icat has no types
    """An ``icat.Client`` for one thread that shares the process's login and never ends it.

    Calls raise `IcatFault` where ICAT refuses and `IcatAway` where it is away.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        options = wire.options
        try:
            super().__init__(
                f"{options.endpoint}?wsdl",
                caFile=options.ca_file,
                timeout=options.timeout.total_seconds(),
                cache=NoCache(),
            )
        except (OSError, suds.transport.TransportError) as error:
            raise IcatAway(f"ICAT does not give its WSDL: {type(error).__name__}: {error}") from error
        self.set_options(transport=_Transport(wire), location=options.endpoint)
        self.autoLogout = False
        for name in _WITH_SESSION:
            setattr(self, name, self._guarded(name, getattr(self, name)))

    @property
    def sessionId(self) -> str | None:  # noqa: N802 - python-icat's name
        """The session of the process: logged in, and renewed in time."""
        if getattr(self, "typemap", None) is None:
            return None  # still under construction
        return self._wire.session.id()

    @sessionId.setter
    def sessionId(self, value: str | None) -> None:  # noqa: N802 - python-icat's name
        """Ignore what python-icat sets: the session is not this client's own."""

    def getApiVersion(self) -> str:  # noqa: N802 - python-icat's name
        """Give the server's version."""
        return self._wire.version()

    def getEntityNames(self) -> list[str]:  # noqa: N802 - python-icat's name
        """Give the names of all entities, asked for once in the process."""
        return self._wire.entity_names()

    def getEntityInfo(self, beanName: str) -> Any:  # noqa: N802, N803 - python-icat's names
        """Give the schema of one entity, asked for once in the process."""
        return _info(self._wire.schema.entity(beanName))

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


class _Transport(suds.transport.Transport):  # type: ignore[misc]  # suds has no types
    """Carries suds' requests over the process's connections."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire

    def send(self, request: Any) -> Any:
        status, body = self._wire.post(request.message)
        if status not in (200, 500) or not body.lstrip().startswith(b"<"):
            raise IcatAway(f"ICAT does not answer in SOAP: HTTP status {status}")
        if status == 500:
            raise suds.transport.TransportError("refused", status, BytesIO(body))
        return suds.transport.Reply(status, {}, body)


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
