"""The message: what a beamline says about one dataset, in JSON or XML."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from pacer_core import Scalar, Text, element


@frozen
class Sample:
    """What was measured."""

    name: Text
    type: Text | None = None


@frozen
class Parameter:
    """One piece of metadata; ``units`` chooses among parameter types of the same name.

    ``None`` is an empty value, which ICAT cannot hold: the rest is stored without it.
    """

    name: Text
    value: Scalar | None
    units: Text | None = None


@frozen
class Datafile:
    """One file, by its path; ``size`` in bytes."""

    location: Text
    size: int | None = None


@frozen
class Dataset:
    """One dataset of an investigation, which is given by its name or by its id in ICAT."""

    # What pyicat-plus's start_investigation sends to the queue of its datasets: who is at the beamline now.
    XML_IGNORED = ("{http://www.esrf.fr/icat}investigation",)

    instrument: Text
    name: Text
    location: Text
    start_date: datetime
    end_date: datetime
    sample: Sample
    investigation: Text | None = None
    investigation_id: int | None = None
    parameters: tuple[Parameter, ...] = element("parameter", default=())
    datafiles: tuple[Datafile, ...] = element("datafile", default=())


def describe(message: Dataset) -> dict[str, str]:
    """Give the identifiers by which people look for the message."""
    found: dict[str, str] = {"dataset": message.name, "instrument": message.instrument}
    if message.investigation is not None:
        found["investigation"] = message.investigation
    elif message.investigation_id is not None:
        found["investigation"] = f"id={message.investigation_id}"
    return found
