"""From the spool to the broker, in a thread of its own."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from pacer_core import PacerError, RefusedError
from pacer_dashboard_log.spool import Kept, Spool

log = logging.getLogger("pacer.dashboard_log")

TOGETHER, TOGETHER_BYTES = 100, 4 * 1024 * 1024
"""How many records, and how many bytes, are published before their confirms are awaited."""
BACKOFF = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds between attempts to reach a dashboard that is away; the last one repeats."""
TURN = 0.5
"""Seconds after which to look whether the process that sends has done so."""
GOODBYE = 3.0
"""Seconds that what is left may take to be sent when the worker stops; the rest waits for the next one."""

Publish = Callable[..., Sequence[PacerError | None]]


class Sender:
    """Publishes what waits in a spool, in order, whenever somebody says that there is something.

    One process at a time sends; the others look now and then whether it still does. A record that the broker
    refuses for what it is stays in the spool, counted as lost, and is tried again when a worker starts.
    """

    def __init__(self, path: Path, publish: Publish, lost: Callable[[int], None]) -> None:
        self._path, self._publish, self._lost = path, publish, lost
        self._some, self._ending = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="dashboard-log", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Say that there is something."""
        self._some.set()

    def close(self) -> None:
        """Send what is left, unless the dashboard is away, and end."""
        self._ending.set()
        self._some.set()
        self._thread.join(GOODBYE)

    def _run(self) -> None:
        try:
            with closing(Spool(self._path)) as spool:
                spool.try_refused_again()
                self._send_until_the_end(spool)
        except (sqlite3.Error, OSError):
            log.exception("the records in %s cannot be read; they wait there", self._path)

    def _send_until_the_end(self, spool: Spool) -> None:
        failures = 0
        while True:
            ending = self._ending.is_set()  # asked before it looks: what comes until then is sent
            self._some.clear()
            try:
                wait = None if self._send(spool, 1 if failures else TOGETHER) else TURN
            except PacerError as error:
                wait = BACKOFF[min(failures, len(BACKOFF) - 1)]
                if not failures:
                    log.warning("records for the dashboard wait in %s: %s", self._path, error)
                failures += 1
            else:
                if failures:
                    log.warning("the dashboard takes records again")
                failures = 0
            if ending:
                return
            if failures:
                self._ending.wait(wait)  # new records wait with the others
            else:
                self._some.wait(wait)

    def _send(self, spool: Spool, together: int) -> bool:
        """Publish everything, so many at once; ``False`` where another process does.

        After a failure that is one by one: a connection that breaks takes some of many, and which these were
        is not known. Where one queue takes nothing, what is for others is sent all the same.

        Raises
        ------
        PacerError
            Where something could not be sent, and has to wait.
        """
        trouble: PacerError | None = None
        closed: list[tuple[str, str]] = []
        with spool.alone() as alone:
            while alone and (records := spool.oldest(together, TOGETHER_BYTES, closed)):
                where = records[0].exchange, records[0].routing_key
                try:
                    said = self._publish(*where, *(record.body for record in records))
                except PacerError as failure:
                    said = [failure] * len(records)
                spool.forget([one for one, error in zip(records, said, strict=True) if error is None])
                for record, error in zip(records, said, strict=True):
                    if isinstance(error, RefusedError):
                        self._set_aside(spool, record, error)
                    elif error is not None:
                        trouble = trouble or error
                        closed.append(where)
        if trouble is not None:
            raise trouble
        return alone

    def _set_aside(self, spool: Spool, record: Kept, error: PacerError) -> None:
        spool.refuse(record)
        self._lost(1)
        log.error("a record is set aside in %s until a worker starts: %s", self._path, error)
