"""A stand-in for an HTTP service, for the tests of plugins: a real server on loopback that can misbehave.

::

    def answer(request: Request) -> Reply:
        return Reply({"name": request.path}) if request.method == "GET" else Reply(status=405)

    with StandIn(answer) as service:
        service.fail(LOST)                  # carry the next request out, and say nothing
        service.fail(refusal(429, {"Retry-After": "1"}), to="PUT")
        ...
        assert [request.method for request in service.requests] == ["GET"]
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol

from attrs import frozen

from pacer_http.loopback import Loopback, Reply, Request, Says

__all__ = [
    "CUT",
    "DRIPS",
    "EXPIRED",
    "FAULTS",
    "HTML",
    "LATE",
    "LOST",
    "RESET",
    "Fault",
    "Loopback",
    "Reply",
    "Request",
    "Says",
    "StandIn",
    "Starts",
    "refusal",
]


@frozen
class Fault:
    """One way to misbehave, for one request.

    Attributes
    ----------
    says
        ``"all"`` of the reply, ``"half"`` of it, ``"nothing"``, ``"late"``: nothing, for long, or
        ``"drips"``: all of it, byte by byte.
    carried_out
        Whether the service does what the request asks for.
    reply
        What is said where it does not.
    """

    says: Says | Literal["late"]
    carried_out: bool = True
    reply: Reply | None = None


RESET = Fault("nothing", carried_out=False)
"""Close the connection and do nothing."""
LOST = Fault("nothing")
"""Carry the request out and close the connection: a crash right after it, as the other side sees it."""
CUT = Fault("half")
"""Carry the request out and cut the answer in its middle."""
LATE = Fault("late")
"""Carry the request out and say nothing until the stand-in is closed."""

DRIPS = Fault("drips")
"""Carry the request out and let each byte of the answer wait for the twentieth part of a second."""


def refusal(status: int, headers: Mapping[str, str] | None = None, content: Any = b"out of order") -> Fault:
    """Give the fault of answering with a status instead."""
    return Fault("all", carried_out=False, reply=Reply(content, status, headers or {}))


HTML = refusal(200, {"Content-Type": "text/html"}, b"<html><body>Down for maintenance</body></html>")
"""Answer 200 with a page, as a proxy does in front of a service that is away."""
EXPIRED = refusal(401, {"WWW-Authenticate": "Basic"})
"""Refuse the credentials."""
FAULTS = {
    "reset": RESET,
    "lost": LOST,
    "cut": CUT,
    "late": LATE,
    "html": HTML,
    "expired": EXPIRED,
    "429": refusal(429),
    "500": refusal(500),
    "503": refusal(503),
}
"""What every end has to live with: parametrise a test with these."""


class StandIn:
    """A server on a free port of loopback: ``answer`` says what it does, one request at a time.

    Parameters
    ----------
    answer
        Gives the reply to a request; what it raises becomes a 500 and fails `close`.
    certificate
        The files (PEM) of a certificate and its key, with which it speaks TLS.
    """

    def __init__(
        self, answer: Callable[[Request], Reply], *, certificate: tuple[Path, Path] | None = None
    ) -> None:
        self._answer = answer
        self._lock = threading.Lock()
        self._faults: list[tuple[str, Fault]] = []
        self._errors: list[Exception] = []
        self._closing = threading.Event()
        self.requests: list[Request] = []
        """Every request, in order, also those that a fault has kept from being carried out."""
        self._loopback = Loopback(self.take, certificate=certificate)

    @property
    def url(self) -> str:
        """The base address."""
        return self._loopback.url

    def fail(self, *faults: Fault, to: str = "", after: int = 0) -> None:
        """Misbehave once for each fault, in order, at requests whose method is ``to`` (any by default).

        ``after`` lets that many of them pass first.
        """
        with self._lock:
            self._faults += [(to, _PASS)] * after
            self._faults += [(to, fault) for fault in faults]

    def behave(self) -> None:
        """Forget the faults that have not come yet."""
        with self._lock:
            self._faults.clear()

    def __enter__(self) -> StandIn:
        """Give the stand-in."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Cease to listen; raise what went wrong in ``answer``."""
        self._closing.set()
        self._loopback.close()
        if self._errors:
            raise self._errors[0]

    def take(self, request: Request) -> tuple[Says, Reply | None]:
        """Do what a request asks for; give how the reply goes out, and the reply."""
        with self._lock:
            self.requests.append(request)
            fault = self._next(request.method)
            reply = fault.reply
            if fault.carried_out:
                try:
                    reply = self._answer(request)
                except Exception as error:
                    self._errors.append(error)
                    reply = Reply(b"the stand-in is broken", 500)
        if fault.says == "late":
            self._closing.wait()
            return "nothing", None
        return fault.says, reply

    def _next(self, method: str) -> Fault:
        for index, (to, fault) in enumerate(self._faults):
            if to in ("", method):
                del self._faults[index]
                return fault
        return _PASS


class Starts(Protocol):
    """What the fixture ``http_stand_in`` gives: it starts a `StandIn`, which the end of the test closes."""

    def __call__(
        self, answer: Callable[[Request], Reply], *, certificate: tuple[Path, Path] | None = None
    ) -> StandIn:
        """Start a stand-in."""
        ...


_PASS = Fault("all")
