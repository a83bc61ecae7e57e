"""The integration ``dashboard-store``: the dashboard's database, as the task sees it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from zoneinfo import ZoneInfo

from pacer_core import IntegrationType
from pacer_dashboard.options import DashboardStoreOptions
from pacer_dashboard.records.parcel import Parcel
from pacer_dashboard.records.reading import read


class DashboardStore:
    """Stores records in a thread of its own, which has the process's only connection; threads share it."""

    def __init__(self, options: DashboardStoreOptions) -> None:
        self._read = partial(read, zone=ZoneInfo(options.time_zone), keys=options.keys)
        self._largest = options.largest_batch
        self._thread = ThreadPoolExecutor(1, "dashboard-store")

    def store(self, parcels: Sequence[Parcel]) -> list[bool | Exception]:
        """Store records, and return when they are committed.

        Returns
        -------
        list
            Of each whether it is new, or why it is not stored: `Reject` where it is no record, or what the
            database says.

        Raises
        ------
        django.db.Error
            Where the database is away; some may be stored then.
        """
        return self._thread.submit(self._store, parcels).result()

    def check(self) -> None:
        """Ask the database for something of ours; fail where it does not answer."""
        from django.db import connection

        try:
            with connection.cursor() as cursor:  # in this thread: the other one may wait for an answer
                cursor.execute("SELECT revision FROM pacer_dashboard_clock")
        finally:
            connection.close()

    def close(self) -> None:
        """Close the connection."""
        self._thread.submit(_close)
        self._thread.shutdown()

    def _store(self, parcels: Sequence[Parcel]) -> list[bool | Exception]:
        from pacer_dashboard.store.each import store_each

        reads = [partial(self._read, one.body, one.headers) for one in parcels]
        return [
            end
            for begin in range(0, len(reads), self._largest)
            for end in store_each(reads[begin : begin + self._largest])
        ]


def _close() -> None:
    from django.db import connection

    connection.close()


@contextmanager
def open_store(options: DashboardStoreOptions) -> Iterator[DashboardStore]:
    """Open the database for a process; SQLite's tables are made where there are none."""
    from pacer_dashboard.start import migrate, prepare

    place = options.place
    prepare(place)
    if place.folder is not None:
        migrate()
    store = DashboardStore(options)
    try:
        yield store
    finally:
        store.close()


def _is_away(error: BaseException) -> bool:
    from pacer_dashboard.store.away import is_away

    return is_away(error)


DASHBOARD_STORE: IntegrationType[DashboardStore] = IntegrationType(
    name="dashboard-store",
    options=DashboardStoreOptions,
    open=open_store,
    check=DashboardStore.check,
    is_away=_is_away,
)
"""``ctx[DASHBOARD_STORE]`` stores records."""
