"""The service ``dashboard-upkeep``: what has to be done by itself, now and then."""

from pacer_dashboard.upkeep.service import UPKEEP

__all__ = ["UPKEEP"]
