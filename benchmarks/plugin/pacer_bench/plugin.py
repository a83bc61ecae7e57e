"""Two consumer types that do what the probe does, with and without a key."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from attrs import frozen

from benchmarks import probe
from pacer_core import ConsumerType, Context, Key, Scalar, Text, element, hookimpl, task


@frozen
class Parameter:
    """A name and a value."""

    name: Text
    value: Scalar


@frozen
class Datafile:
    """One file of a dataset."""

    name: Text
    location: Text
    file_size: int


@frozen
class Dataset:
    """What a beamline announces; both bodies of `benchmarks.messages` become one."""

    investigation: Text
    instrument: Text
    name: Text
    location: Text
    start_date: datetime
    end_date: datetime
    sample: Text
    parameters: tuple[Parameter, ...] = element("parameter", default=())
    datafiles: tuple[Datafile, ...] = element("datafile", default=())


@task
def handle(_: Dataset, ctx: Context) -> None:
    """Do the work that the benchmark asks for."""
    probe.work()


def _investigation(message: Dataset, _: Context) -> str:
    return message.investigation


@hookimpl
def pacer_consumers() -> Iterator[ConsumerType]:
    """Offer one consumer type without and one with a key."""
    yield ConsumerType(name="bench", message=Dataset, tasks=[handle])
    yield ConsumerType(name="bench-keyed", message=Dataset, tasks=[handle], key=Key("bench", _investigation))
