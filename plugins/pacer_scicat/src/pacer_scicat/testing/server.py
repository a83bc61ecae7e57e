"""The stand-in at a port of this machine, for tests and for trying things out."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType

from pacer_http.testing import Loopback, Reply, Request, Says
from pacer_scicat.testing.accounts import Accounts
from pacer_scicat.testing.backend import Backend
from pacer_scicat.testing.misbehaviour import Misbehaviour
from pacer_scicat.testing.store import Store

CONTROL = "/stand-in/misbehave"
"""Takes wishes by POST (`Misbehaviour.tell`), and says by GET what was asked so far."""
_JSON = "application/json; charset=utf-8"
_PAGE = b"<html><body>Down for maintenance</body></html>"


class ScicatStandIn:
    """A stand-in for SciCat's backend on loopback; closed by the ``with`` that opened it.

    Parameters
    ----------
    port
        Where it listens; 0 takes a free port.
    accounts
        Who may log in: those of the recorded answers by default.
    pid_rule
        A regular expression that given pids have to fit.
    certificate
        The files (PEM) of a certificate and its key, with which it speaks TLS.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        accounts: Accounts | None = None,
        pid_rule: str | None = None,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        self.backend = Backend(accounts, Store(pid_rule=pid_rule))
        self.misbehaviour = Misbehaviour()
        self._errors: list[Exception] = []
        self._loopback = Loopback(self._take, port=port, certificate=certificate)

    @property
    def url(self) -> str:
        """The address of the backend."""
        return self._loopback.url

    @property
    def store(self) -> Store:
        """What it holds."""
        return self.backend.store

    def __enter__(self) -> ScicatStandIn:
        """Give the stand-in."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Cease to listen; raise what went wrong within the stand-in itself."""
        self._loopback.close()
        if self._errors:
            raise self._errors[0]

    def _take(self, request: Request) -> tuple[Says, Reply | None]:
        """Answer a request, or the wishes of whoever tests with it."""
        if request.target == CONTROL:
            return "all", self._control(request)
        plan = self.misbehaviour.plan(request.method, request.target)
        if plan.away == "proxy":
            return "all", _page(503)
        if plan.fault is None:
            return "all", self._answer(request)
        how = plan.fault.how
        if how == "lost-request":
            return "nothing", None
        if how in ("html", "status"):
            return "all", _page(200 if how == "html" else plan.fault.status)
        if how == "late":
            # The client gives up; what it asked for is done all the same (A8, 5).
            time.sleep(plan.fault.seconds)
        answer = self._answer(request)
        return ("nothing", None) if how in ("lost-answer", "late") else ("half", answer)

    def _answer(self, request: Request) -> Reply:
        self.backend.is_healthy = self.misbehaviour.away != "database"
        headers = request.headers
        if not self.backend.is_healthy:
            headers = {name: value for name, value in headers.items() if name != "authorization"}  # A8, 4
        try:
            status, body = self.backend.answer(request.method, request.target, headers, request.body)
        except Exception as error:
            self._errors.append(error)
            return Reply("the stand-in is broken", 500)
        return Reply(body, status, {"Content-Type": _JSON} if body else {})

    def _control(self, request: Request) -> Reply:
        try:
            if request.method == "POST":
                self.misbehaviour.tell(request.json())
        except ValueError as error:
            return Reply(str(error), 400)
        return Reply({"asked": self.misbehaviour.asked})


def _page(status: int) -> Reply:
    return Reply(_PAGE, status, {"Content-Type": "text/html"})
