"""Connections of a process that answers by ASGI: a few, lent to each request.

Under ASGI each request has a thread of its own that ends with it. A connection that Django keeps open for
the next request in that thread is used by nobody any more, and stays until Python's collector finds it:
PostgreSQL's hundred are gone soon. A pool keeps what is open, and lends it.
"""

from __future__ import annotations

from importlib.util import find_spec

from django.db import connections

from pacer_dashboard.live.gate import MOST

LARGEST = MOST + 4
"""Connections of one process: one for each request that is let in, and for what runs beside them."""
_PATIENCE = 4.0
"""Seconds after which who waits for a connection is told that there is none."""


def share_connections() -> None:
    """Lend PostgreSQL's connections from a pool; where there is none to be had, open one for each request."""
    settings = connections.settings["default"]
    if not settings["ENGINE"].endswith("postgresql"):
        return
    settings["CONN_MAX_AGE"] = 0
    if find_spec("psycopg_pool") is not None:
        pool = {"min_size": 1, "max_size": LARGEST, "timeout": _PATIENCE}
        settings["OPTIONS"] = {**settings["OPTIONS"], "pool": pool}
