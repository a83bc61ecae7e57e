"""A sample, found or created: the same one where description and proposal are the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid5

from pacer_core import Planned
from pacer_scicat.client import Scicat
from pacer_scicat.locks import held
from pacer_scicat.writing import readable

_NAMESPACE = UUID("0b6e3f7a-7c5e-5b7e-8f0f-5a2c0f1f9c11")
"""Of the ids that PACER gives samples: never to be changed, or each gets a second entry."""


def find(scicat: Scicat, name: str, proposal: str) -> str | None:
    """Give the id of a sample that is there."""
    found = scicat.samples_with(name, proposal)
    return str(found[0].get("sampleId")) if found else None


def find_or_create(scicat: Scicat, name: str, proposal: str, fields: Mapping[str, Any] | None) -> str | None:
    """Give the id of a sample; it is created with these fields where it is not there, or not without any.

    Raises
    ------
    Retry
        Where another worker is creating it.
    Away, Forbidden, Refused, NotAllowed, Upset
        As `Scicat.create_sample`.
    """
    there = find(scicat, name, proposal)
    if there is not None or fields is None:
        return there
    sample_id = _id_of(name, proposal)
    sample = {
        "sampleId": sample_id,
        "sampleName": name,
        "description": name,
        "proposalId": proposal,
        **fields,
    }
    with held(f"{scicat.options.root} sample {sample_id}", None):
        scicat.create_sample(readable(sample, scicat))
    return sample_id


def foresee(scicat: Scicat, name: str, proposal: str, *, create: bool) -> tuple[str | None, Planned]:
    """Say what `find_or_create` would give and do, with fields where ``create`` is set; writes nothing."""
    what, there = f"sample {name!r}", find(scicat, name, proposal)
    if there is not None:
        return there, Planned(what, "there")
    if not create:
        return None, Planned(what, "left-out", "SciCat has none of that name, and none is created")
    sample_id = _id_of(name, proposal)
    # One that the account may not see is in no list, and there all the same.
    return sample_id, Planned(what, "there" if scicat.sample(sample_id) else "new")


def _id_of(name: str, proposal: str) -> str:
    """Give the id under which PACER creates a sample: the same one for whoever creates it."""
    return str(uuid5(_NAMESPACE, f"{proposal}\n{name}"))
