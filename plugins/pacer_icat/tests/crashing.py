"""A process that dies at a chosen call to ICAT, what it leaves behind, and several at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from threading import Thread
from typing import Any

from pacer_icat.client import Shared
from pacer_icat.http import Http
from pacer_icat.schema import Entity
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.support import options_for


class Crash(KeyboardInterrupt):
    """The process dies here; an interrupt, since the core catches everything else that a task raises."""


class Crashing:
    """Carries envelopes until the n-th, and dies before or after that one has reached ICAT."""

    def __init__(self, server: IcatSandbox, at: int = 0, after: bool = False) -> None:
        options = options_for(server)
        self._http = Http(options.endpoint, timeout=options.timeout)
        self._at = at
        self._after = after
        self.count = 0

    def post(self, body: bytes) -> tuple[int, bytes]:
        self.count += 1
        if self.count == self._at:
            if self._after:
                self._http.post(body)
            raise Crash
        return self._http.post(body)

    def close(self) -> None:
        self._http.close()


def process(server: IcatSandbox, entities: list[Entity], at: int = 0, *, after: bool = False) -> Shared:
    """Give what a new process would have, with a crash at its n-th call."""
    shared = Shared(options_for(server), Crashing(server, at, after))
    shared.wire.schema.learn(entities)
    return shared


def state(plain: Any, queries: Mapping[str, str]) -> list[list[str]]:
    """Give what queries select of each entity: all that a consumer may write, without ids."""
    return [
        sorted(map(_text, plain.search(f"SELECT {what} FROM {entity} o"))) for entity, what in queries.items()
    ]


def _text(row: tuple[Any, ...]) -> str:
    return repr([value.isoformat() if isinstance(value, datetime) else value for value in row])


def in_threads(work: Callable[[int], None], number: int) -> None:
    """Do some work in several threads, and let their errors out."""
    errors: list[BaseException] = []

    def guarded(n: int) -> None:
        try:
            work(n)
        except BaseException as error:
            errors.append(error)

    threads = [Thread(target=guarded, args=(n,)) for n in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
