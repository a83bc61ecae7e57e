"""Who asks, and of which catalogue: what every operation needs."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from sqlite3 import Connection
from zoneinfo import ZoneInfo

from attrs import frozen

from pacer_sandbox.rules import Authoriser
from pacer_sandbox.schema import Schema
from pacer_sandbox.store import Store


@frozen
class Caller:
    """A user at a catalogue."""

    user: str
    store: Store
    zone: ZoneInfo
    root_users: frozenset[str]

    @property
    def schema(self) -> Schema:
        """The catalogue's schema."""
        return self.store.schema

    def stamp(self) -> tuple[str, int]:
        """Return the user and the time for what is written now."""
        return self.user, int(time.time())

    def new_id(self) -> int:
        """Return a new id; inside a transaction."""
        return self.store.new_id()

    def authoriser(self, connection: Connection) -> Authoriser:
        """Return what the user may do, as the rules have it now."""
        return Authoriser(self.schema, connection, self.user, self.root_users, self.zone)

    @contextmanager
    def transaction(self) -> Iterator[tuple[Connection, Authoriser]]:
        """Hold the database for writing, all or nothing."""
        with self.store.transaction() as connection:
            yield connection, self.authoriser(connection)

    @contextmanager
    def reading(self) -> Iterator[tuple[Connection, Authoriser]]:
        """Hold the database for reading."""
        with self.store.reading() as connection:
            yield connection, self.authoriser(connection)
