"""The tables. Rows are written by `store` and `upkeep` alone, and read through `query`."""

from pacer_dashboard.models.access import Role, RoleGroup, RoleRule, SignedIn
from pacer_dashboard.models.errors import ErrorDay, ErrorGroup
from pacer_dashboard.models.messages import Identifier, Life, Lineage, Message, Payload, Sight
from pacer_dashboard.models.rollup import Clock, Rollup
from pacer_dashboard.models.tokens import Token

__all__ = [
    "Clock",
    "ErrorDay",
    "ErrorGroup",
    "Identifier",
    "Life",
    "Lineage",
    "Message",
    "Payload",
    "Role",
    "RoleGroup",
    "RoleRule",
    "Rollup",
    "Sight",
    "SignedIn",
    "Token",
]
