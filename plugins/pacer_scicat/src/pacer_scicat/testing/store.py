"""What one stand-in holds."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from attrs import define, field

Documents = dict[str, dict[str, Any]]


def object_id() -> str:
    """Give an id as the database makes them."""
    return uuid4().hex[:24]


@define
class Store:
    """Everything by its id, in the order in which it came.

    ``prefix`` begins the pids that the backend makes; given ones have to follow ``pid_rule``.
    """

    prefix: str = "20.500.12269"
    pid_rule: str | None = None
    datasets: Documents = field(factory=dict)
    blocks: Documents = field(factory=dict)
    instruments: Documents = field(factory=dict)
    proposals: Documents = field(factory=dict)
    samples: Documents = field(factory=dict)
    attachments: Documents = field(factory=dict)
