"""Users and investigations: a crash at every single call to ICAT, and a second writer at every call."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from pacer_core import ConsumerType, Outcome
from pacer_icat import IcatClient
from pacer_icat.investigations.task import INVESTIGATIONS
from pacer_icat.schema import Entity
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.crashing import (
    OneWrite,
    Overtaken,
    Snapshot,
    crash_at_any_call,
    process,
    state,
    undisturbed,
    writes,
)
from plugins.pacer_icat.tests.people import INVESTIGATION_STATE, SCENARIOS, investigation_message
from plugins.pacer_icat.tests.support import deliver_to
from tests.bombs import Crash


@pytest.mark.parametrize("after", [False, True], ids=["before-icat", "after-icat"])
@pytest.mark.parametrize(("consumer", "what", "earlier", "message"), SCENARIOS)
def test_a_crash_at_any_call_is_mended_by_the_next_delivery(
    icat_server: IcatSandbox,
    plain: Any,
    entities: list[Entity],
    consumer: ConsumerType,
    what: Mapping[str, str],
    earlier: list[Any],
    message: Any,
    after: bool,
) -> None:
    for one in earlier:
        undisturbed(icat_server, entities, consumer, one)
    crash_at_any_call(icat_server, entities, consumer, message, lambda: state(plain, what), after=after)


def _is(at: int, call: int, _: bytes) -> bool:
    return call == at


@pytest.mark.parametrize(("consumer", "what", "earlier", "message"), SCENARIOS)
def test_a_second_writer_at_any_moment_leaves_everything_once(
    icat_server: IcatSandbox,
    plain: Any,
    entities: list[Entity],
    consumer: ConsumerType,
    what: Mapping[str, str],
    earlier: list[Any],
    message: Any,
) -> None:
    for one in earlier:
        undisturbed(icat_server, entities, consumer, one)
    snapshot = Snapshot(icat_server)
    another = partial(undisturbed, icat_server, entities, consumer, message)
    calls = another().wire.calls
    expected = state(plain, what)
    for at in range(1, calls + 1):
        snapshot.restore()
        poster = Overtaken(icat_server, partial(_is, at), another)
        client = IcatClient(process(icat_server, entities, poster=poster))
        delivery = deliver_to(consumer, message, client, twice=False)
        assert delivery.outcome is Outcome.ACKED, f"overtaken at call {at} of {calls}: {delivery.error}"
        assert state(plain, what) == expected, f"overtaken at call {at} of {calls}"


@pytest.mark.parametrize(("consumer", "what", "earlier", "message"), SCENARIOS)
def test_a_second_writer_who_is_always_one_step_ahead_leaves_everything_once(
    icat_server: IcatSandbox,
    plain: Any,
    entities: list[Entity],
    consumer: ConsumerType,
    what: Mapping[str, str],
    earlier: list[Any],
    message: Any,
) -> None:
    def sneak() -> None:
        with suppress(Crash):
            client = IcatClient(process(icat_server, entities, poster=OneWrite(icat_server)))
            deliver_to(consumer, message, client, twice=False)

    for one in earlier:
        undisturbed(icat_server, entities, consumer, one)
    snapshot, states = Snapshot(icat_server), []
    for poster in (None, Overtaken(icat_server, lambda _, body: writes(body), sneak)):
        snapshot.restore()
        client = IcatClient(process(icat_server, entities, poster=poster))
        delivery = deliver_to(consumer, message, client, twice=False)
        assert delivery.outcome is Outcome.ACKED, delivery.error
        states.append(state(plain, what))
    assert states[0] == states[1]


def test_an_investigation_never_stands_there_by_halves(
    icat_server: IcatSandbox, plain: Any, entities: list[Entity]
) -> None:
    shared = process(icat_server, entities)
    before = state(plain, INVESTIGATION_STATE)
    deliver_to(INVESTIGATIONS, investigation_message(), IcatClient(shared), twice=False)
    whole = state(plain, INVESTIGATION_STATE)
    for at in range(1, shared.wire.calls + 1):
        icat_server.reset()
        client = IcatClient(process(icat_server, entities, at, after=True))
        with pytest.raises(Crash):
            deliver_to(INVESTIGATIONS, investigation_message(), client)
        assert state(plain, INVESTIGATION_STATE) in (before, whole)
