"""The message: which investigation is to be ingested once more."""

from __future__ import annotations

from attrs import field, frozen, validators

from pacer_core import Text


@frozen
class Reingest:
    """A proposal, or one visit of it; ``after`` is the id of the last dataset that was done before."""

    investigation: Text
    visit_id: Text | None = None
    after: int = field(default=0, validator=validators.ge(0))


def describe(message: Reingest) -> dict[str, str]:
    """Give the identifiers by which people look for the message."""
    found: dict[str, str] = {"investigation": message.investigation}
    if message.visit_id is not None:
        found["visit"] = message.visit_id
    return found
