"""The message: what is to be done about one investigation."""

from __future__ import annotations

from attrs import frozen

from pacer_core import Text, element


@frozen
class InvestigationOperations:
    """Operations on one investigation; without ``visit_id`` the proposal has to have one visit only."""

    name: Text
    operations: tuple[Text, ...] = element("ops")
    visit_id: Text | None = None


def describe(message: InvestigationOperations) -> dict[str, str]:
    """Give the identifiers by which people look for the message."""
    found: dict[str, str] = {"investigation": message.name, "operations": ",".join(message.operations)}
    if message.visit_id is not None:
        found["visit"] = message.visit_id
    return found
