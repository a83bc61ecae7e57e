"""Processes that die at the n-th call to an outside system: ICAT, and services that speak HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from attrs import define

from pacer_http import Answer, HttpClient
from pacer_icat import IcatOptions
from pacer_icat.http import Http

T = TypeVar("T")
TIMEOUT = timedelta(seconds=20)


class Crash(KeyboardInterrupt):
    """The process dies here; an interrupt, since the core catches everything else that a task raises."""


@define
class Bomb:
    """Goes off at the n-th call, before or after the other side has done what it is asked for."""

    at: int = 0
    after: bool = False
    count: int = 0

    def around(self, call: Callable[[], T]) -> T:
        """Make a call, unless it is the one."""
        self.count += 1
        if self.count != self.at:
            return call()
        if self.after:
            call()
        raise Crash


class BombedIcat(Http):
    """Carries envelopes to ICAT until the bomb goes off."""

    def __init__(self, options: IcatOptions, bomb: Bomb) -> None:
        super().__init__(options.endpoint, timeout=options.timeout)
        self.bomb = bomb

    def post(self, body: bytes) -> tuple[int, bytes]:
        """Send one envelope."""
        return self.bomb.around(lambda: super(BombedIcat, self).post(body))


class BombedHttp(HttpClient):
    """Asks a service until its ``bomb`` goes off; does not wait between its tries.

    Several processes of a test may have the same one, and each a bomb of its own: to make one takes 30 ms.
    """

    def __init__(
        self, name: str, url: str, *, bomb: Bomb | None = None, timeout: timedelta = TIMEOUT, **more: Any
    ) -> None:
        super().__init__(name, url, **{"timeout": timeout, "delays": (0, 0), **more})
        self.bomb = bomb or Bomb()

    def request(self, method: str, path: str, **more: Any) -> Answer:
        """Send a request."""
        return self.bomb.around(lambda: super(BombedHttp, self).request(method, path, **more))
