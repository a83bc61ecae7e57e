"""suds' side of HTTP: requests go over the process's connections, and the WSDL is fetched once in it."""

from __future__ import annotations

from io import BytesIO
from threading import Lock
from typing import Any

import suds.transport
from suds.cache import Cache
from suds.sax.parser import Parser

from pacer_icat.faults import no_icat
from pacer_icat.wire import Wire

_BEGINNING = 1000
"""Bytes within which every SOAP answer has its envelope, and a page has not."""


class Transport(suds.transport.Transport):  # type: ignore[misc]  # suds has no types
    """Carries suds' requests over the process's connections."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire

    def send(self, request: Any) -> Any:
        """Send a request; give the answer in suds' words."""
        status, body = self._wire.post(request.message)
        if status not in (200, 500) or b"Envelope" not in body[:_BEGINNING]:
            raise no_icat(self._wire.options.endpoint, status)
        if status == 500:
            raise suds.transport.TransportError("refused", status, BytesIO(body))
        return suds.transport.Reply(status, {}, body)


class Documents(Cache):  # type: ignore[misc]  # suds has no types
    """The WSDL and its schema as text; each client parses its own, for suds changes what it has parsed."""

    def __init__(self) -> None:
        self._texts: dict[str, bytes] = {}
        self._lock = Lock()

    def get(self, id: str) -> Any:  # noqa: A002 - suds' name
        """Give a document, parsed anew, or ``None``."""
        with self._lock:
            text = self._texts.get(id)
        return None if text is None else Parser().parse(string=text)

    def put(self, id: str, object: Any) -> Any:  # noqa: A002 - suds' names
        """Keep a document; give it back."""
        with self._lock:
            self._texts[id] = object.str().encode()
        return object

    def purge(self, id: str) -> None:  # noqa: A002 - suds' name
        """Forget a document."""
        with self._lock:
            self._texts.pop(id, None)

    def clear(self) -> None:
        """Forget all documents."""
        with self._lock:
            self._texts.clear()
