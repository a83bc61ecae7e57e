"""A sample, found or created: the same one where description and proposal are the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid5

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
    sample_id = str(uuid5(_NAMESPACE, f"{proposal}\n{name}"))
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
