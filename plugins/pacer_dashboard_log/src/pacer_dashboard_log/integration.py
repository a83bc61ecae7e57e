"""The integration ``dashboard``: takes records, and sees to it that they are sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pacer_core import Delivery, IntegrationType, SettledContext
from pacer_dashboard_log.options import DashboardOptions
from pacer_dashboard_log.records import FORMATS
from pacer_dashboard_log.sender import Sender
from pacer_dashboard_log.spool import Spool

FILE = "dashboard.sqlite"
"""The spool, in the folder of the configuration."""
_MIB = 1024 * 1024


class DashboardLog:
    """Keeps a record of each message until the dashboard's queue has it; ``ctx[DASHBOARD]``."""

    def __init__(self, options: DashboardOptions) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._spool: Spool | None = None
        self._sender: Sender | None = None

    def note(self, delivery: Delivery, ctx: SettledContext) -> None:
        """Keep a record of what became of a message; it is sent later.

        Raises
        ------
        sqlite3.Error, OSError
            Where the disk does not take it; it is counted as lost.
        """
        options = self._options
        body = FORMATS[options.format](delivery, ctx.type, options)
        kept = False
        try:
            with self._lock:
                if self._spool is None:
                    self._spool = Spool(ctx.folder / FILE)
                kept = self._spool.keep(
                    options.exchange, options.routing_key, body, options.buffer_m_bytes * _MIB
                )
                if self._sender is None:
                    self._sender = Sender(ctx.folder / FILE, ctx.publish_each, ctx.lost)
                self._sender.wake()
        finally:
            if not kept:
                ctx.lost(1)

    def close(self) -> None:
        """Let what waits be sent, for a moment; the rest stays on disk."""
        with self._lock:
            if self._sender is not None:
                self._sender.close()
            if self._spool is not None:
                self._spool.close()


@contextmanager
def open_dashboard(options: DashboardOptions) -> Iterator[DashboardLog]:
    """Keep records for one process."""
    dashboard = DashboardLog(options)
    try:
        yield dashboard
    finally:
        dashboard.close()


DASHBOARD: IntegrationType[DashboardLog] = IntegrationType(
    name="dashboard", options=DashboardOptions, open=open_dashboard
)
"""A consumer that enables it has its messages recorded."""
