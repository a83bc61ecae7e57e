"""The integration ``dashboard-store``: the dashboard's database, as the task sees it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pacer_core import IntegrationType
from pacer_dashboard.options import DashboardStoreOptions
from pacer_dashboard.records.parcel import Parcel
from pacer_dashboard.records.reading import read

if TYPE_CHECKING:
    from pacer_dashboard.store.committer import Committer


class DashboardStore:
    """Stores records, those that come at the same time in one transaction; threads share it."""

    def __init__(self, options: DashboardStoreOptions, committer: Committer) -> None:
        self._zone, self._keys = ZoneInfo(options.time_zone), options.keys
        self._committer = committer

    def store(self, parcel: Parcel) -> bool:
        """Store a record, and return when it is committed: ``False`` where it was there already.

        Raises
        ------
        Reject
            Where it is none.
        Retry
            Where the database does not take it just now.
        """
        return self._committer.store(
            lambda: read(parcel.body, parcel.headers, zone=self._zone, keys=self._keys)
        )

    def check(self) -> None:
        """Ask the database for something; fail where it does not answer."""
        self._committer.check()


@contextmanager
def open_store(options: DashboardStoreOptions) -> Iterator[DashboardStore]:
    """Open the database for a process; SQLite's tables are made where there are none."""
    from pacer_dashboard.start import migrate, prepare

    place = options.place
    prepare(place)
    if place.folder is not None:
        migrate()
    from pacer_dashboard.store.committer import Committer

    committer = Committer(options.largest_batch)
    try:
        yield DashboardStore(options, committer)
    finally:
        committer.close()


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
