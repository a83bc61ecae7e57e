"""Writing: records as they come, and what people say of them. Nobody else writes these tables."""

from pacer_dashboard.store.people import acknowledge, merge, set_status, split, unacknowledge
from pacer_dashboard.store.writer import Stored, store

__all__ = ["Stored", "acknowledge", "merge", "set_status", "split", "store", "unacknowledge"]
