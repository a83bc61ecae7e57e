"""kombu's face of such a broker."""

from __future__ import annotations

from typing import Any

import amqp
from kombu.transport import base

from pacer_channel.channel import Channel
from pacer_channel.connection import Connection
from pacer_channel.store import Store


class Transport(base.Transport):  # type: ignore[misc]  # kombu has no types
    """What kombu calls a transport; it raises what py-amqp raises. A subclass opens the store."""

    connection_errors = amqp.Connection.connection_errors
    channel_errors = amqp.Connection.channel_errors
    recoverable_connection_errors = amqp.Connection.recoverable_connection_errors
    recoverable_channel_errors = amqp.Connection.recoverable_channel_errors

    implements = base.Transport.implements.extend(asynchronous=False, heartbeats=False)

    def open_store(self, client: Any) -> Store:
        """Open the engine for one more connection; `client` is kombu's, with what it was given.

        Raises
        ------
        BrokerError
            Where that cannot be done, and why.
        """
        raise NotImplementedError

    def establish_connection(self) -> Connection:
        """Open a connection."""
        client: Any = self.client
        return Connection(client, self.open_store(client))

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
