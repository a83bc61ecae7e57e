"""A stand-in told to be slow, away, or forgetful, as backends are."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal, get_args

from attrs import define, field, frozen

How = Literal["lost-request", "lost-answer", "cut", "late", "html", "status"]
Away = Literal["no", "proxy", "database"]


@define
class Fault:
    """Some requests fail: the n-th from now (``at``), or every one (``at=0``).

    ``lost-request`` cuts the connection and does nothing, ``lost-answer`` does it and cuts, ``cut`` cuts the
    answer in its middle, ``late`` does it after ``seconds``, when the client has gone, ``html`` answers
    with a proxy's page, ``status`` with the status of an error.
    """

    how: How
    method: str = "*"
    path: str = ""
    at: int = 1
    status: int = 503
    seconds: float = 0.0
    seen: int = 0

    def hits(self, method: str, path: str) -> bool:
        """Count a request and tell whether it is to fail."""
        if self.method not in ("*", method) or self.path not in path:
            return False
        self.seen += 1
        return self.at in (0, self.seen)


@frozen
class Plan:
    """How one request goes: what is done and what is said of it."""

    fault: Fault | None = None
    away: Away = "no"


@define
class Misbehaviour:
    """What a stand-in does wrong at present, and what it was asked: ``asked`` by method and first segment."""

    asked: Counter[str] = field(factory=Counter)
    delay: float = 0.0
    away: Away = "no"
    _faults: list[Fault] = field(factory=list)
    _lock: threading.Lock = field(factory=threading.Lock, repr=False)

    def fail(self, how: How, **where: Any) -> None:
        """Let a request fail, see `Fault`.

        Raises
        ------
        ValueError
            For a ``how`` that is none.
        """
        if how not in get_args(How):
            raise ValueError(f"how={how!r}: one of {', '.join(get_args(How))} is expected")
        with self._lock:
            self._faults.append(Fault(how, **where))

    def clear(self) -> None:
        """Behave again, and count from nought."""
        with self._lock:
            self._faults.clear()
            self.asked.clear()
            self.delay, self.away = 0.0, "no"

    def tell(self, wishes: Any) -> None:
        """Do what a JSON object says: ``clear``, ``delay`` (seconds), ``away``, and a list ``fail``.

        Raises
        ------
        ValueError
            For a wish that is not understood.
        """
        if not isinstance(wishes, Mapping) or wishes.keys() - {"clear", "delay", "away", "fail"}:
            raise ValueError("an object with clear, delay, away or fail is expected")
        if wishes.get("clear"):
            self.clear()
        if "delay" in wishes:
            self.delay = float(wishes["delay"])
        if "away" in wishes:
            if wishes["away"] not in get_args(Away):
                raise ValueError(f"away is one of {', '.join(get_args(Away))}")
            self.away = wishes["away"]
        try:
            for wish in wishes.get("fail", ()):
                self.fail(**wish)
        except TypeError as error:
            raise ValueError(str(error)) from None

    def plan(self, method: str, path: str) -> Plan:
        """Count a request, wait as long as requests take, and give how it goes."""
        with self._lock:
            self.asked[f"{method} {path.split('?')[0].split('/')[3]}" if path.count("/") > 2 else path] += 1
            hit = next((fault for fault in self._faults if fault.hits(method, path)), None)
        if self.delay:
            time.sleep(self.delay)
        return Plan(hit, self.away)
