"""A process that dies at a chosen call to ICAT, what it leaves behind, and several at once."""

from __future__ import annotations

import random
import re
import weakref
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from threading import Thread
from typing import Any

import pytest

from pacer_core import ConsumerType, Outcome
from pacer_icat import IcatClient
from pacer_icat.client import Shared
from pacer_icat.schema import Entity
from pacer_sandbox import IcatSandbox
from pacer_sandbox.misbehave import WRITES
from pacer_sandbox.store import connect
from plugins.pacer_icat.tests.support import deliver_to, options_for
from tests.bombs import Bomb, BombedIcat, Crash

_SESSION = re.compile(rb"<sessionId>([^<]+)<")


class Crashing(BombedIcat):
    """Carries envelopes until the n-th, and dies before or after that one has reached ICAT."""

    def __init__(self, server: IcatSandbox, at: int = 0, after: bool = False) -> None:
        super().__init__(options_for(server), Bomb(at, after))

    @property
    def count(self) -> int:
        """How many have been carried so far."""
        return self.bomb.count


_WRITE = re.compile(rb"<i:(create|createMany|update|delete|deleteMany)[ >]")


def writes(body: bytes) -> bool:
    """Tell whether an envelope asks ICAT to write."""
    return _WRITE.search(body) is not None


class OneWrite(Crashing):
    """Carries envelopes until the first that writes, and dies after that one has reached ICAT."""

    def post(self, body: bytes) -> tuple[int, bytes]:
        answer = super().post(body)
        if writes(body):
            raise Crash
        return answer


class Overtaken(Crashing):
    """Carries envelopes, and lets somebody else do something just before some of them."""

    def __init__(
        self, server: IcatSandbox, before: Callable[[int, bytes], bool], meanwhile: Callable[[], object]
    ) -> None:
        super().__init__(server)
        self._before = before
        self._meanwhile = meanwhile

    def post(self, body: bytes) -> tuple[int, bytes]:
        if self._before(self.count + 1, body):
            self._meanwhile()
        return super().post(body)


class Expiring(Crashing):
    """Carries envelopes, and ends the session that the n-th brings."""

    def __init__(self, server: IcatSandbox, at: int) -> None:
        super().__init__(server)
        self._server, self._last = server, at

    def post(self, body: bytes) -> tuple[int, bytes]:
        session = _SESSION.search(body)
        if self.count + 1 == self._last and session is not None:
            self._server.catalogue.sessions.close(session[1].decode())
        return super().post(body)


FAULTS = ("lost-request", "lost-answer", "session", "deadlock")


def places(server: IcatSandbox, how: str, work: Callable[[], Shared]) -> range:
    """Do some work without a fault; give at which of its calls one may be met, or which of its writes."""
    before = server.misbehave.calls.copy()
    calls = work().wire.calls
    writes = server.misbehave.calls - before
    return range(1, 1 + (sum(writes[one] for one in WRITES) if how == "deadlock" else calls))


def faulty(server: IcatSandbox, entities: list[Entity], how: str, at: int) -> Shared:
    """Give what a new process would have, whose n-th call meets a fault: its process goes on."""
    if how == "session":
        return process(server, entities, poster=Expiring(server, at))
    if how == "deadlock":
        server.misbehave.fail("deadlock", at=at, operation="writes")
    else:
        server.misbehave.fail("lost-answer" if how == "lost-answer" else "lost-request", at=at)
    return process(server, entities)


def process(
    server: IcatSandbox,
    entities: list[Entity],
    at: int = 0,
    *,
    after: bool = False,
    poster: Crashing | None = None,
    **options: Any,
) -> Shared:
    """Give what a new process would have, with a crash at its n-th call."""
    shared = Shared(options_for(server, **options), poster or Crashing(server, at, after))
    shared.wire.schema.learn(entities)
    return shared


def undisturbed(
    server: IcatSandbox, entities: list[Entity], consumer: ConsumerType, message: Any, **options: Any
) -> Shared:
    """Have a new process handle a message without a fault; give what it had."""
    shared = process(server, entities, **options)
    delivery = deliver_to(consumer, message, IcatClient(shared), twice=False)
    assert delivery.outcome is Outcome.ACKED, delivery.error
    return shared


def crash_at_any_call(
    server: IcatSandbox,
    entities: list[Entity],
    consumer: ConsumerType,
    message: Any,
    look: Callable[[], object],
    *,
    after: bool,
    **options: Any,
) -> None:
    """Crash before or after each call that a message takes, and deliver it again.

    What ``look`` gives then has to be what it gives without a crash.
    """
    snapshot = Snapshot(server)
    calls = undisturbed(server, entities, consumer, message, **options).wire.calls
    expected = look()
    for at in range(1, calls + 1):
        snapshot.restore()
        dying = process(server, entities, at, after=after, **options)
        with pytest.raises(Crash):
            deliver_to(consumer, message, IcatClient(dying))
        undisturbed(server, entities, consumer, message, **options)
        assert look() == expected, f"after a crash at call {at} of {calls}"


def fault_at_any_call(
    server: IcatSandbox,
    entities: list[Entity],
    consumer: ConsumerType,
    message: Any,
    look: Callable[[], object],
    *,
    how: str,
) -> None:
    """Meet a fault at each call that a message takes, and deliver it again; look as after a crash."""
    snapshot = Snapshot(server)
    there = places(server, how, lambda: undisturbed(server, entities, consumer, message))
    expected = look()
    for at in there:
        snapshot.restore()
        faced = IcatClient(faulty(server, entities, how, at))
        first = deliver_to(consumer, message, faced, twice=False)
        lost = first.outcome is Outcome.RETRIED and how.startswith("lost")
        assert lost or first.outcome is Outcome.ACKED, first.error
        server.misbehave.clear()
        assert deliver_to(consumer, message, faced, twice=False).outcome is Outcome.ACKED
        assert look() == expected, f"after a fault at {at} of {there[-1]}"


class Snapshot:
    """What a sandbox holds now, to be there again as often as wanted."""

    def __init__(self, server: IcatSandbox) -> None:
        self._store = server.catalogue.store
        self._kept = connect(None)
        weakref.finalize(self, self._kept.close)
        with self._store.lock:
            self._store.connection.backup(self._kept)

    def restore(self) -> None:
        with self._store.lock:
            self._kept.backup(self._store.connection)


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


def eight_writers(server: IcatSandbox, work: Sequence[tuple[ConsumerType, Any]]) -> list[Outcome]:
    """Have eight threads of a process handle all messages, each in an order of its own."""
    shared = Shared(options_for(server))
    outcomes: list[Outcome] = []

    def handle(seed: int) -> None:
        client = IcatClient(shared)
        shuffled = random.Random(seed).sample(work, len(work))
        outcomes.extend(deliver_to(consumer, one, client, twice=False).outcome for consumer, one in shuffled)

    in_threads(handle, 8)
    shared.close()
    return outcomes
