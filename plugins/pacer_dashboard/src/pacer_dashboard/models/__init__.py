"""The tables. Rows are written by `store` and `upkeep` alone, and read through `query`."""

from pacer_dashboard.models.access import Role, RoleGroup, RoleRule, SignedIn
from pacer_dashboard.models.actions import Batch, Item
from pacer_dashboard.models.alerts import AlertEvent, AlertRule
from pacer_dashboard.models.audit import Audit
from pacer_dashboard.models.checks import CheckRun, InvestigationCheck, InvestigationLook
from pacer_dashboard.models.errors import ErrorDay, ErrorGroup
from pacer_dashboard.models.messages import Identifier, Imported, Life, Lineage, Message, Payload, Sight
from pacer_dashboard.models.rollup import Clock, Rollup
from pacer_dashboard.models.system import Watched
from pacer_dashboard.models.tokens import Token
from pacer_dashboard.models.views import SavedView

__all__ = [
    "AlertEvent",
    "AlertRule",
    "Audit",
    "Batch",
    "CheckRun",
    "Clock",
    "ErrorDay",
    "ErrorGroup",
    "Identifier",
    "Imported",
    "InvestigationCheck",
    "InvestigationLook",
    "Item",
    "Life",
    "Lineage",
    "Message",
    "Payload",
    "Role",
    "RoleGroup",
    "RoleRule",
    "Rollup",
    "SavedView",
    "Sight",
    "SignedIn",
    "Token",
    "Watched",
]
