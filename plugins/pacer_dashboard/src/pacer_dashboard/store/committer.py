"""One thread stores what all others bring: what waits for one transaction is in the next.

Whoever brings a record makes its draft: so all that needs no database is done while another transaction
waits for the server.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future

from django.db import connection

from pacer_dashboard.records import Record
from pacer_dashboard.store.away import is_away
from pacer_dashboard.store.drafts import Draft, draft
from pacer_dashboard.store.paper import paper_of
from pacer_dashboard.store.writer import commit

_Item = tuple[Draft, "Future[bool]"]


class Committer:
    """Group commit: who stores a record waits for the transaction that it is in, and that others share."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._paper = paper_of(connection.vendor)
        self._waiting: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="dashboard-store", daemon=True)
        self._thread.start()

    def store(self, record: Record) -> bool:
        """Store a record; return when it is committed, with ``False`` where it was there already.

        Raises
        ------
        django.db.Error
            Where the database does not take it.
        """
        future: Future[bool] = Future()
        self._waiting.put((draft(record, self._paper), future))
        return future.result()

    def check(self) -> None:
        """Ask the database for something of ours, in the caller's thread."""
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT revision FROM pacer_dashboard_clock")
        finally:
            connection.close()

    def close(self) -> None:
        """End, when all that was brought is stored."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        ending = False
        try:
            while not ending:
                batch: list[_Item] = []
                item = self._waiting.get()
                while item is not None:
                    batch.append(item)
                    if len(batch) == self._largest or self._waiting.empty():
                        break
                    item = self._waiting.get()
                ending = item is None
                if batch:
                    self._commit(batch)
        finally:
            connection.close()

    def _commit(self, batch: Sequence[_Item]) -> None:
        """Store a batch; where the database refuses it for one of its records, each by itself."""
        try:
            connection.close_if_unusable_or_obsolete()
            new = commit([one for one, _ in batch]).fresh
        except Exception as error:
            if len(batch) > 1 and not is_away(error):
                for item in batch:
                    self._commit([item])
                return
            for _, future in batch:
                future.set_exception(error)
            return
        for draft_, future in batch:
            key = draft_.record.correlation_id, draft_.record.id
            future.set_result(key in new)
            new.discard(key)
