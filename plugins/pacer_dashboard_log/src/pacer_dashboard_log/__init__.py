"""PACER for a dashboard: after each message, one record of what became of it."""

from pacer_dashboard_log.integration import DASHBOARD
from pacer_dashboard_log.options import DashboardOptions

__all__ = ["DASHBOARD", "DashboardOptions"]
