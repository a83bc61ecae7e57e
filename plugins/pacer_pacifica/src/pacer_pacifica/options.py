"""The YAML options of the integration ``pacifica``: where jobs and bundles are kept."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen

from pacer_core import Secret

_POSTGRESQL = ("postgresql", "postgres")


def is_folder(_: Any, __: Any, path: str) -> None:
    """Refuse what is no absolute path of a folder."""
    if not Path(path).is_absolute() or Path(path) == Path("/"):
        raise ValueError("should be a folder with its whole path, from / on")


def is_database(_: Any, __: Any, database: str | None) -> None:
    """Refuse what is neither an absolute path nor a PostgreSQL address without a password."""
    if database is None or Path(database).is_absolute():
        return
    parts = urlsplit(database)
    if parts.scheme not in _POSTGRESQL:
        raise ValueError("should be a file with its whole path, or postgresql://ACCOUNT@HOST:PORT/DATABASE")
    if parts.password is not None or re.search(r"[?&]password=", database):
        raise ValueError("holds a password: give that as databasePassword, by !env or !file")


@frozen
class PacificaOptions:
    """Where jobs and bundles are kept; the same here and in the service.

    Attributes
    ----------
    spool
        The folder that the service writes uploads to, and the consumers read them from.
    database
        The jobs: a file for SQLite, or ``postgresql://ACCOUNT@HOST:PORT/DATABASE``; by default the file
        ``jobs.sqlite`` in the spool. SQLite needs a local disk: with consumers on other hosts than the
        service's, take PostgreSQL.
    database_password
        The password of PostgreSQL's account.
    unique_id_url
        Where Pacifica's uniqueid service answers; without it, ids of files come from the job database.
    """

    spool: str = field(validator=is_folder)
    database: str | None = field(default=None, validator=is_database)
    database_password: Secret | None = None
    unique_id_url: str | None = None
