"""`crash_everywhere`: what a plugin author finds out with it."""

from typing import Any

import pytest
from attrs import define, field, frozen

from pacer_core import ConsumerType, Context, IntegrationType, Text, task
from pacer_core.testing import crash_everywhere, deliver


@define
class Ledger:
    entries: list[str] = field(factory=list)
    sums: dict[str, int] = field(factory=dict)

    def append(self, name: str) -> None:
        self.entries.append(name)

    def has(self, name: str) -> bool:
        return name in self.entries

    def put(self, name: str, number: int) -> None:
        self.sums[name] = number


@frozen
class Options:
    pass


@frozen
class Parcel:
    name: Text


LEDGER: IntegrationType[Ledger] = IntegrationType(name="ledger", options=Options, open=lambda _: iter(()))  # type: ignore[arg-type,return-value] # nobody opens it


@task(needs=[LEDGER])
def careful(parcel: Parcel, ctx: Context) -> None:
    if not ctx[LEDGER].has(parcel.name):
        ctx[LEDGER].append(parcel.name)
    ctx[LEDGER].put(parcel.name, 1)


@task(needs=[LEDGER])
def careless(parcel: Parcel, ctx: Context) -> None:
    ctx[LEDGER].append(parcel.name)
    ctx[LEDGER].put(parcel.name, 1)


def through(one: Any) -> Any:
    parcels = ConsumerType(name="parcels", message=Parcel, tasks=[one])
    return lambda client: deliver(parcels, '{"name": "a"}', integrations={LEDGER: client})


def state(ledger: Ledger) -> tuple[list[str], dict[str, int]]:
    return ledger.entries, ledger.sums


def test_a_task_that_looks_before_it_writes_survives_every_crash() -> None:
    assert crash_everywhere(Ledger, through(careful), state) == 6  # three calls, before and after each


def test_one_that_does_not_is_found_out_with_the_call() -> None:
    with pytest.raises(AssertionError, match=r"a crash after call 1, append\(\), and the work once more"):
        crash_everywhere(Ledger, through(careless), state)


def test_work_that_calls_nothing_proves_nothing() -> None:
    with pytest.raises(AssertionError, match="nothing to crash at"):
        crash_everywhere(Ledger, lambda _: None, state)


def test_calls_of_what_a_client_holds_are_counted_too() -> None:
    @define
    class Outer:
        inner: Ledger = field(factory=Ledger)

    assert (
        crash_everywhere(Outer, lambda client: client.inner.put("a", 1), lambda outer: outer.inner.sums) == 2
    )
