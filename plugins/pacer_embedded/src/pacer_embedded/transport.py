"""kombu's face of the embedded broker."""

from __future__ import annotations

import sqlite3
from typing import Any

from pacer_channel import Transport as ChannelTransport
from pacer_embedded.owned import OwnedStore
from pacer_embedded.urls import ALIAS, place_of


class Transport(ChannelTransport):
    """The transport behind `pacer+sqlite` and `pacer+memory`."""

    can_parse_url = True
    driver_type = "pacer"
    driver_name = "sqlite"

    def driver_version(self) -> str:
        """Give SQLite's version."""
        return sqlite3.sqlite_version

    def open_store(self, client: Any) -> OwnedStore:
        """Open the broker.

        Raises
        ------
        BrokerError
            Where the URL or the file cannot be used.
        """
        return OwnedStore(place_of(client.hostname))

    def as_uri(self, uri: str, include_password: bool = False, mask: str = "**") -> str:
        """Give the URL; there are no secrets in it."""
        return f"{ALIAS}+{uri}"
