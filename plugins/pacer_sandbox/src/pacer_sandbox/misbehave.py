"""A sandbox told to be slow, away, forgetful or deadlocked, as catalogues are."""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal, get_args

from attrs import define, field, frozen

from pacer_sandbox.errors import IcatError
from pacer_sandbox.schema import Schema

WRITES = frozenset({"create", "createMany", "update", "delete", "deleteMany", "write"})
"""Operations that write; ``write`` is the REST interface's."""

DEADLOCK = (
    "Unexpected DB response class jakarta.persistence.PersistenceException Exception [EclipseLink-4002]:"
    " org.eclipse.persistence.exceptions.DatabaseException\nInternal Exception:"
    " java.sql.SQLTransactionRollbackException: Deadlock found when trying to get lock; try restarting"
    " transaction\nError Code: 1213"
)
READ_ONLY = (
    "Unexpected DB response class jakarta.persistence.PersistenceException Exception [EclipseLink-4002]:"
    " org.eclipse.persistence.exceptions.DatabaseException\nInternal Exception:"
    " java.sql.SQLException: The MariaDB server is running with the --read-only option so it cannot execute"
    " this statement\nError Code: 1290"
)
How = Literal["internal", "deadlock", "read-only", "lost-request", "lost-answer"]
OPERATIONS = WRITES | {
    *("login", "logout", "refresh", "getUserName", "getRemainingMinutes", "get", "search", "isAccessAllowed"),
    *("getApiVersion", "getVersion", "getEntityNames", "getEntityInfo", "getAuthenticatorInfo"),
    *("getProperties", "isLoggedIn"),
}
"""All operations, those of REST under the names of their SOAP twins where they have one."""


class LostError(Exception):
    """The connection is to be cut: before the call is done, or after it."""


class AwayError(Exception):
    """The catalogue is to look as if it were not there."""


@frozen
class Slow:
    """Calls of an operation (``*``: of any) about an entity take some seconds longer."""

    seconds: float
    operation: str = "*"
    entity: str = "*"

    def applies(self, operation: str, entity: str) -> bool:
        """Tell whether this is about a call."""
        return self.operation in ("*", operation) and self.entity in ("*", entity)


@define
class Fail:
    """Some calls of an operation fail: the n-th from now (``at``), or every n-th (``every``)."""

    how: How = "internal"
    at: int = 0
    every: int = 0
    operation: str = "*"
    entity: str = "*"
    seen: int = 0

    def hits(self, operation: str, entity: str) -> bool:
        """Count a call and tell whether it is to fail."""
        if self.operation == "writes":
            if operation not in WRITES:
                return False
        elif self.operation not in ("*", operation):
            return False
        if self.entity not in ("*", entity):
            return False
        self.seen += 1
        return self.seen == self.at if self.at else bool(self.every) and self.seen % self.every == 0


@define
class Misbehaviour:
    """What a sandbox does wrong at present, and what it has been asked: ``calls`` by operation."""

    calls: Counter[str] = field(factory=Counter)
    is_away: bool = False
    is_undeployed: bool = False
    _slow: list[Slow] = field(factory=list)
    _fail: list[Fail] = field(factory=list)
    _lock: threading.Lock = field(factory=threading.Lock, repr=False)

    def slow(self, seconds: float, operation: str = "*", entity: str = "*") -> None:
        """Let calls take longer; the first that applies counts, so tell the special before the general."""
        _check(operation, entity)
        self._slow.append(Slow(float(seconds), operation, entity))

    def fail(
        self, how: How = "internal", *, at: int = 0, every: int = 0, operation: str = "*", entity: str = "*"
    ) -> None:
        """Let the n-th call from now fail, or every n-th; ``operation="writes"`` means all that write.

        ``lost-answer`` does what is asked and cuts the connection instead of answering; ``read-only`` says
        what a database does after a failover.
        """
        _check(operation if operation != "writes" else "*", entity)
        if how not in get_args(How):
            raise ValueError(f"how={how!r}: one of {', '.join(get_args(How))} is expected")
        self._fail.append(Fail(how, at, every, operation, entity))

    def deadlock(self, every: int) -> None:
        """Let every n-th write be rolled back by a deadlock."""
        self.fail("deadlock", every=every, operation="writes")

    def away(self, is_away: bool = True) -> None:
        """Answer nothing but 503, as a proxy before a stopped catalogue does."""
        self.is_away, self.is_undeployed = is_away, False

    def undeployed(self) -> None:
        """Answer as Payara does while it is up and ICAT is not deployed yet: 404, with a page in HTML."""
        self.is_away = self.is_undeployed = True

    def clear(self) -> None:
        """Behave again, and count from nought."""
        with self._lock:
            self._slow.clear()
            self._fail.clear()
            self.calls.clear()
            self.is_away = self.is_undeployed = False

    def tell(self, wishes: Any) -> None:
        """Do what a JSON object says: ``clear``, ``away``, and lists ``slow`` and ``fail`` of arguments.

        ``away`` is true, false or ``"undeployed"``.

        Raises ValueError for a wish that is not understood.
        """
        if not isinstance(wishes, Mapping) or wishes.keys() - {"clear", "away", "slow", "fail"}:
            raise ValueError("an object with clear, away, slow or fail is expected")
        try:
            if wishes.get("clear"):
                self.clear()
            for wish in wishes.get("slow", ()):
                self.slow(**wish)
            for wish in wishes.get("fail", ()):
                self.fail(**wish)
        except TypeError as exc:
            raise ValueError(str(exc)) from exc
        if "away" in wishes:
            if wishes["away"] == "undeployed":
                self.undeployed()
            else:
                self.away(bool(wishes["away"]))

    def before(self, operation: str, entity: str) -> bool:
        """Misbehave before a call; return whether its answer is to be lost.

        Raises AwayError, LostError, or the IcatError that the client is to see.
        """
        if self.is_away:
            raise AwayError
        with self._lock:
            self.calls[operation] += 1
            slow = next((s.seconds for s in self._slow if s.applies(operation, entity)), 0.0)
            hows = [f.how for f in self._fail if f.hits(operation, entity)]
        if slow:
            time.sleep(slow)
        if "lost-request" in hows:
            raise LostError
        if "internal" in hows:
            raise IcatError("INTERNAL", "the sandbox was told to fail here")
        if "deadlock" in hows:
            raise IcatError("INTERNAL", DEADLOCK)
        if "read-only" in hows:
            raise IcatError("INTERNAL", READ_ONLY)
        return "lost-answer" in hows


def _check(operation: str, entity: str) -> None:
    if operation != "*" and operation not in OPERATIONS:
        raise ValueError(f"operation={operation!r}: one of {', '.join(sorted(OPERATIONS))} is expected")
    if entity != "*" and entity not in Schema.load():
        raise ValueError(f"entity={entity!r} is not an ICAT entity")
