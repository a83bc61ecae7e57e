"""Where the database is: an address, read from the environment or from PACER's configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from attrs import field, frozen

from pacer_core import PacerError

FILE = "dashboard.sqlite"
"""SQLite's file, in its folder."""
_POSTGRESQL = ("postgresql", "postgres")
_BUSY = 20  # seconds that another process may write to SQLite's file


@frozen
class Place:
    """A database: a folder with SQLite's file, or an address of PostgreSQL's."""

    folder: Path | None = None
    url: str | None = None
    password: str | None = field(default=None, repr=False)

    def settings(self) -> dict[str, Any]:
        """Give what Django's ``DATABASES`` has of it."""
        if self.url is None:
            return _sqlite((self.folder or Path("dashboard")) / FILE)
        return _postgresql(self.url, self.password)


def from_environment(environment: Mapping[str, str] = os.environ) -> Place:
    """Read ``PACER_DASHBOARD_DATABASE``, or ``POSTGRES_DB`` and its like, or else take SQLite.

    Raises
    ------
    PacerError
        Where the address is none.
    """
    get = environment.get
    if address := get("PACER_DASHBOARD_DATABASE"):
        if "://" not in address:
            return Place(folder=Path(address))
        if not _is_address(address):
            raise PacerError(
                "PACER_DASHBOARD_DATABASE: should be a folder, or postgresql://ACCOUNT@HOST:PORT/DATABASE; "
                "a password that has other signs than letters and numbers goes into POSTGRES_PASSWORD"
            )
        return Place(url=address, password=get("POSTGRES_PASSWORD"))
    if get("POSTGRES_DB"):
        address = _address(environment)
        if not _is_address(address):
            raise PacerError("POSTGRES_PORT: should be a number from 1 to 65535")
        return Place(url=address, password=get("POSTGRES_PASSWORD"))
    return Place(folder=Path(get("PACER_DASHBOARD_FOLDER", "dashboard")))


def _is_address(text: str) -> bool:
    """Tell whether a text is an address of PostgreSQL's; why it is none may quote its password."""
    try:
        parts = urlsplit(text)
        return parts.scheme in _POSTGRESQL and parts.port != 0
    except ValueError:
        return False


def _address(environment: Mapping[str, str]) -> str:
    """Give the address that ``POSTGRES_DB`` and its like name; a host may be the folder of a socket."""
    user, database = (quote(environment.get(one, ""), safe="") for one in ("POSTGRES_USER", "POSTGRES_DB"))
    host = environment.get("POSTGRES_HOST") or "localhost"
    port = environment.get("POSTGRES_PORT") or "5432"
    if host.startswith("/"):
        return f"postgresql://{user}@/{database}?{urlencode({'host': host, 'port': port})}"
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"postgresql://{user}@{host}:{port}/{database}"


def _sqlite(file: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(file),
        "OPTIONS": {
            "timeout": _BUSY,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


def _postgresql(url: str, password: str | None) -> dict[str, Any]:
    parts = urlsplit(url)
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    options.setdefault("connect_timeout", "10")
    options.setdefault("application_name", "pacer-dashboard")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": password or unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }
