"""One thread reads and stores what all others bring: what waits for one transaction is in the next."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from itertools import pairwise

from attrs import define, field
from django.db import connection

from pacer_dashboard.records import Record
from pacer_dashboard.store.away import is_away
from pacer_dashboard.store.drafts import Draft, draft
from pacer_dashboard.store.paper import Paper, paper_of
from pacer_dashboard.store.writer import commit


def _taken() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@define(eq=False)
class _Item:
    """A record that somebody waits for; who has waited wakes the next one of the same transaction.

    Hundreds that are woken at once would do nothing but take the interpreter from each other.
    """

    read: Callable[[], Record]
    draft: Draft | None = None
    ended: threading.Lock = field(factory=_taken)
    next: _Item | None = None
    is_new: bool = False
    error: Exception | None = None

    def draw_up(self, paper: Paper) -> None:
        """Read the record, and make its draft."""
        try:
            self.draft = draft(self.read(), paper)
        except Exception as error:
            self.error = error

    def wait(self) -> bool:
        """Wait until it is stored; tell whether it is new."""
        with self.ended:
            if self.next is not None:
                self.next.wake()
        if self.error is not None:
            raise self.error
        return self.is_new

    def wake(self) -> None:
        """Wake who waits."""
        self.ended.release()


class Committer:
    """Group commit: who stores a record waits for the transaction that it is in, and that others share."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._paper = paper_of(connection.vendor)
        self._waiting: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="dashboard-store", daemon=True)
        self._thread.start()

    def store(self, read: Callable[[], Record]) -> bool:
        """Store what ``read`` gives; return when it is committed, with ``False`` where it was there already.

        Raises
        ------
        Exception
            What ``read`` raises.
        django.db.Error
            Where the database does not take it.
        """
        item = _Item(read)
        self._waiting.put(item)
        return item.wait()

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
        try:
            while not self._ending:
                batch = self._next()
                if batch:
                    self._commit([one for one in batch if one.draft is not None])
                    _wake(batch)
        finally:
            connection.close()

    def _next(self) -> list[_Item]:
        """Wait for a record, and draw it up with what waits beside it: what is in one transaction."""
        batch: list[_Item] = []
        item = self._waiting.get()
        while item is not None:
            item.draw_up(self._paper)
            batch.append(item)
            if len(batch) == self._largest:
                return batch
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                return batch
        self._ending = True
        return batch

    def _commit(self, batch: Sequence[_Item]) -> None:
        """Store a batch; where the database refuses it for one of its records, each by itself."""
        if not batch:
            return
        drafts = [one.draft for one in batch if one.draft is not None]
        try:
            connection.close_if_unusable_or_obsolete()
            new = commit(drafts).fresh
        except Exception as error:
            if len(batch) > 1 and not is_away(error):
                for item in batch:
                    self._commit([item])
                return
            for item in batch:
                item.error = error
            return
        for item, one in zip(batch, drafts, strict=True):
            key = one.record.correlation_id, one.record.id
            item.is_new = key in new
            new.discard(key)


def _wake(batch: Sequence[_Item]) -> None:
    for one, other in pairwise(batch):
        one.next = other
    batch[0].wake()
