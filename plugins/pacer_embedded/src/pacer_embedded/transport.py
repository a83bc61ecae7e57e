"""kombu's face of the embedded broker."""

from __future__ import annotations

import sqlite3
from typing import Any

import amqp
from kombu.transport import base

from pacer_embedded.channel import Channel
from pacer_embedded.connection import Connection
from pacer_embedded.urls import ALIAS, place_of


class Transport(base.Transport):  # type: ignore[misc]  # kombu has no types
    """The transport behind `pacer+sqlite` and `pacer+memory`; it raises what py-amqp raises."""

    can_parse_url = True
    driver_type = "pacer"
    driver_name = "sqlite"

    connection_errors = amqp.Connection.connection_errors
    channel_errors = amqp.Connection.channel_errors
    recoverable_connection_errors = amqp.Connection.recoverable_connection_errors
    recoverable_channel_errors = amqp.Connection.recoverable_channel_errors

    implements = base.Transport.implements.extend(asynchronous=False, heartbeats=False)

    def driver_version(self) -> str:
        """Give SQLite's version."""
        return sqlite3.sqlite_version

    def establish_connection(self) -> Connection:
        """Open the broker.

        Raises
        ------
        BrokerError
            Where the URL or the file cannot be used.
        """
        client: Any = self.client
        return Connection(client, place_of(client.hostname))

    def close_connection(self, connection: Connection) -> None:
        """Close a connection."""
        connection.client = None
        connection.close()

    def create_channel(self, connection: Connection) -> Channel:
        """Open a channel."""
        return connection.channel()

    def drain_events(self, connection: Connection, **kwargs: Any) -> None:
        """Wait for one event: see `Connection.drain_events`."""
        connection.drain_events(**kwargs)

    def verify_connection(self, connection: Connection) -> bool:
        """Tell whether a connection is open."""
        return connection.connected

    def as_uri(self, uri: str, include_password: bool = False, mask: str = "**") -> str:
        """Give the URL; there are no secrets in it."""
        return f"{ALIAS}+{uri}"
