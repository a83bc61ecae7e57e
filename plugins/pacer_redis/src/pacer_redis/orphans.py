"""Owners that could not say goodbye, as Redis was away when their connection was closed.

What they hold would come back when their lease is over. The next connection of this process to the same
broker ends them at once, as it knows that they are gone.
"""

from __future__ import annotations

import threading
from collections import defaultdict

_orphans: defaultdict[str, set[str]] = defaultdict(set)
_lock = threading.Lock()


def leave(broker: str, owner: str) -> None:
    """Note an owner that has ended without saying so."""
    with _lock:
        _orphans[broker].add(owner)


def take(broker: str) -> set[str]:
    """Give the owners to end; whoever fails to end them notes them again."""
    with _lock:
        return _orphans.pop(broker, set())
