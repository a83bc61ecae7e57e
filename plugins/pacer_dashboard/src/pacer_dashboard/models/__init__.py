"""The tables. Rows are written by `store` and `upkeep` alone, and read through `query`."""

from pacer_dashboard.models.errors import ErrorDay, ErrorGroup
from pacer_dashboard.models.messages import Identifier, Imported, Life, Lineage, Message, Payload, Sight
from pacer_dashboard.models.rollup import Clock, Rollup

__all__ = [
    "Clock",
    "ErrorDay",
    "ErrorGroup",
    "Identifier",
    "Imported",
    "Life",
    "Lineage",
    "Message",
    "Payload",
    "Rollup",
    "Sight",
]
