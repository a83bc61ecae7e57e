"""The YAML options of the integration ``dashboard-store`` and the service ``dashboard-upkeep``."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import field, frozen, validators

from pacer_core import Secret
from pacer_dashboard.place import Place, from_environment
from pacer_dashboard.records.record import DEFAULT_KEYS, Keys

_POSTGRESQL = ("postgresql", "postgres")


def _is_database(_: Any, __: Any, database: str | None) -> None:
    """Refuse what is neither an absolute path nor an address without a password."""
    if database is None or Path(database).is_absolute():
        return
    parts = urlsplit(database)
    if parts.scheme not in _POSTGRESQL:
        raise ValueError("should be a folder with its whole path, or postgresql://ACCOUNT@HOST:PORT/DATABASE")
    if parts.password is not None or re.search(r"[?&]password=", database):
        raise ValueError("holds a password: give that as databasePassword, by !env or !file")


def _is_zone(_: Any, __: Any, name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError("should be a time zone such as Europe/Paris") from None


def _are_keys(_: Any, __: Any, keys: dict[str, tuple[str, ...]]) -> None:
    if wrong := sorted(keys.keys() - DEFAULT_KEYS.keys()):
        raise ValueError(f"knows {', '.join(DEFAULT_KEYS)}, and not {', '.join(wrong)}")


@frozen
class DashboardStoreOptions:
    """Where the dashboard's database is, and how records are read.

    Attributes
    ----------
    database
        A folder for SQLite's file, or ``postgresql://ACCOUNT@HOST:PORT/DATABASE``. Without it, what the
        environment says: ``PACER_DASHBOARD_DATABASE``, or ``POSTGRES_DB`` and its like.
    database_password
        The password of PostgreSQL's account.
    time_zone
        The time zone of records whose times have none, as those of ICAT-PACER.
    identifiers
        For ``instrument``, ``proposal`` and ``dataset``, the identifiers that hold it, the best one first.
    largest_batch
        How many records are stored in one transaction at most.
    """

    database: str | None = field(default=None, validator=_is_database)
    database_password: Secret | None = None
    time_zone: str = field(default="UTC", validator=_is_zone)
    identifiers: dict[str, tuple[str, ...]] = field(factory=dict, validator=_are_keys)
    largest_batch: int = field(default=500, validator=validators.gt(0))

    @property
    def place(self) -> Place:
        """Where the database is."""
        return place_of(self.database, self.database_password)

    @property
    def keys(self) -> Keys:
        """Which identifiers hold instrument, proposal and dataset."""
        return {**DEFAULT_KEYS, **self.identifiers}


def _is_longer(instance: DashboardUpkeepOptions, _: Any, __: Any) -> None:
    if instance.errors < instance.successes:
        raise ValueError("is shorter than successes: errors are what people look for later")


@frozen
class DashboardUpkeepOptions:
    """What the service ``dashboard-upkeep`` does, and for how long what is kept.

    Attributes
    ----------
    database, database_password
        As in the integration ``dashboard-store``.
    successes
        How long messages are kept that never were in trouble, from the end of the month they arrived in.
    errors
        How long those are kept that were.
    payloads
        How long payloads are kept, which may be about people; those of messages in trouble as well.
    hours
        How long the sums of each hour are kept; those of days and months stay.
    months_ahead
        For how many months to come PostgreSQL's partitions are made.
    every
        How often it looks.
    """

    database: str | None = field(default=None, validator=_is_database)
    database_password: Secret | None = None
    successes: timedelta = field(default=timedelta(days=365), validator=validators.gt(timedelta(0)))
    errors: timedelta = field(
        default=timedelta(days=3 * 365), validator=[validators.gt(timedelta(0)), _is_longer]
    )
    payloads: timedelta = field(default=timedelta(days=90), validator=validators.gt(timedelta(0)))
    hours: timedelta = field(default=timedelta(days=100), validator=validators.ge(timedelta(days=8)))
    months_ahead: int = field(default=3, validator=[validators.ge(1), validators.le(24)])
    every: timedelta = field(default=timedelta(hours=1), validator=validators.gt(timedelta(0)))

    @property
    def place(self) -> Place:
        """Where the database is."""
        return place_of(self.database, self.database_password)


def place_of(database: str | None, password: Secret | None) -> Place:
    """Give the place that options name, or else that the environment does."""
    if database is None:
        return from_environment()
    if Path(database).is_absolute():
        return Place(folder=Path(database))
    return Place(url=database, password=None if password is None else password.reveal())
