"""A message that names a dataset in ICAT: what ``datasets`` sends to the consumers that come after it."""

from __future__ import annotations

import time
from typing import Any

from attrs import frozen

from pacer_core import Context, Key
from pacer_icat.collation import fold
from pacer_icat.integration import ICAT
from pacer_icat.keys import SPACE


@frozen
class DatasetReference:
    """A dataset that was stored or changed.

    Attributes
    ----------
    dataset_id
        Its id in ICAT.
    investigation_id
        That of its investigation; looked up where it is missing.
    asked_at
        When this was asked for, in seconds since the epoch: what was computed since need not be computed
        again. Without it, everything is.
    """

    dataset_id: int
    investigation_id: int | None = None
    asked_at: float | None = None


def reference(dataset_id: int, investigation_id: int) -> DatasetReference:
    """Give the message about a dataset, asked for now."""
    return DatasetReference(dataset_id, investigation_id, time.time())


def describe(message: DatasetReference) -> dict[str, str]:
    """Give the identifiers by which people look for the message."""
    found = {"dataset_id": str(message.dataset_id)}
    if message.investigation_id is not None:
        found["investigation"] = f"id={message.investigation_id}"
    return found


def _key(message: Any, ctx: Context) -> str | None:
    catalogue = ctx[ICAT].shared.catalogue
    if message.investigation_id is not None:
        name = catalogue.investigation_name(message.investigation_id)
    else:
        name = catalogue.investigation_of_dataset(message.dataset_id)
    return None if name is None else fold(name)


BY_INVESTIGATION = Key(SPACE, of=_key)
"""Messages about datasets of one investigation are handled one after another."""
