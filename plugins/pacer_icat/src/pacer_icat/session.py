"""One login per process, shared by its threads: made when needed, renewed in time, logged out at the end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

from lxml import etree

from pacer_icat.faults import IcatAway, IcatFault
from pacer_icat.options import IcatOptions

log = logging.getLogger("pacer.icat")

_UNSAID = 2.0
"""Minutes that a session is taken to hold where ICAT fails to tell."""

Ask = Callable[[str, list[tuple[str, Any]]], list[etree._Element]]


class Session:
    """The session id that every call of this process sends.

    Parameters
    ----------
    options
        The account.
    ask
        Sends one operation that needs no session, or brings its own.
    clock
        Seconds that only ever grow.
    """

    def __init__(self, options: IcatOptions, ask: Ask, clock: Callable[[], float] = time.monotonic) -> None:
        self._options = options
        self._ask = ask
        self._clock = clock
        self._lock = Lock()
        self._id: str | None = None
        self._renew_at = 0.0

    def id(self) -> str:
        """Give a session id that should hold; log in, or renew, where needed.

        Raises
        ------
        IcatAway
            Where ICAT is away, or refuses the account: somebody has to correct that, and the messages wait.
        """
        current = self._id
        if current is not None and self._clock() < self._renew_at:
            return current
        with self._lock:
            if self._id is not None and self._clock() >= self._renew_at:
                self._renew(self._id)
            if self._id is None:
                self._log_in()
            assert self._id is not None  # noqa: S101 - for the type checker
            return self._id

    def lost(self, session: str) -> None:
        """Forget a session that ICAT does not know any more; the next call logs in again, once."""
        with self._lock:
            if self._id == session:
                self._id = None

    def close(self) -> None:
        """Log out, as far as ICAT lets us."""
        with self._lock:
            session, self._id = self._id, None
        if session is not None:
            try:
                self._ask("logout", [("sessionId", session)])
            except (IcatFault, IcatAway) as error:
                log.debug("no logout: %s", error)

    def _log_in(self) -> None:
        options = self._options
        credentials: Mapping[str, str] = {"username": options.username, "password": options.password.reveal()}
        try:
            answer = self._ask("login", [("plugin", options.authenticator), ("credentials", credentials)])
        except IcatFault as fault:
            if fault.type == "INTERNAL":
                raise IcatAway(f"ICAT fails at the login: {fault}") from None
            raise IcatAway(
                f"ICAT refuses the account {options.authenticator}/{options.username}: {fault}; "
                f"correct authenticator, username or password of the integration"
            ) from None
        if not answer or not answer[0].text:
            raise IcatAway("ICAT answers a login without a session id")
        self._id = answer[0].text
        self._plan()
        log.debug("logged in to ICAT")

    def _renew(self, session: str) -> None:
        try:
            self._ask("refresh", [("sessionId", session)])
            self._plan()
        except IcatFault as fault:
            log.debug("the session cannot be renewed: %s", fault)
            self._id = None

    def _plan(self) -> None:
        try:
            answer = self._ask("getRemainingMinutes", [("sessionId", self._id)])
            minutes = float(answer[0].text or "0") if answer else 0.0
        except IcatFault as fault:  # the session itself may be good, and no message is to blame
            log.debug("ICAT does not say how long a session holds: %s", fault)
            minutes = _UNSAID
        # Half of its life: early enough even where a call takes long.
        self._renew_at = self._clock() + max(minutes * 30.0, 1.0)
