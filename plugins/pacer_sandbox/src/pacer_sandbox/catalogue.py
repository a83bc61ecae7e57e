"""The catalogue behind both interfaces: data, accounts, sessions and what it does wrong."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

from pacer_sandbox import query
from pacer_sandbox.caller import Caller
from pacer_sandbox.misbehave import Misbehaviour
from pacer_sandbox.query import Answer
from pacer_sandbox.schema import Entity, Field, Schema
from pacer_sandbox.sessions import Accounts, Sessions
from pacer_sandbox.store import Store

MAX_ENTITIES = 10_000
_log = logging.getLogger("pacer_sandbox.calls")


class Catalogue:
    """One ICAT: an empty one in memory, or the one in a file."""

    def __init__(
        self,
        data: Path | None = None,
        *,
        accounts: Accounts | None = None,
        zone: ZoneInfo | None = None,
        max_entities: int = MAX_ENTITIES,
    ) -> None:
        self.schema = Schema.load()
        self.accounts = accounts or Accounts.load()
        self.zone = zone or ZoneInfo("Europe/Berlin")
        self.max_entities = max_entities
        self.store = Store(self.schema, data)
        self.sessions = Sessions(self.store)
        self.misbehave = Misbehaviour()

    def caller(self, session: str | None) -> Caller:
        """Return the caller whose session this is; SESSION otherwise."""
        return self.as_user(self.sessions.user(session))

    def as_user(self, user: str) -> Caller:
        """Return a caller by name, without a session."""
        return Caller(user, self.store, self.zone, self.accounts.root_users)

    def search(self, caller: Caller, text: str) -> Answer:
        """Answer a query in either syntax."""
        with caller.reading() as (connection, access):
            return query.search(
                text,
                connection,
                self.schema,
                zone=self.zone,
                access=access,
                max_entities=self.max_entities,
            )

    def get(self, caller: Caller, text: str, key: int) -> tuple[str, dict[str, object]]:
        """Return one entity by id, with what the query includes."""
        with caller.reading() as (connection, access):
            return query.get(
                text,
                key,
                connection,
                self.schema,
                access=access,
                max_entities=self.max_entities,
            )

    def entity_fields(self, name: str) -> tuple[Entity, tuple[Field, ...]] | None:
        """Return an entity and its fields for getEntityInfo; the abstract ``Parameter`` is one, too."""
        if name == "Parameter":
            sample = self.schema["DatasetParameter"]
            return sample, tuple(f for f in sample.fields if f.name != "dataset")
        return (self.schema[name], self.schema[name].fields) if name in self.schema else None

    @contextmanager
    def logged(self, operation: str, entity: str) -> Iterator[None]:
        """Log a call with its time, at INFO; who called and with what is not logged."""
        start = time.perf_counter()
        try:
            yield
        finally:
            _log.info("%s %s %.1f ms", operation, entity, (time.perf_counter() - start) * 1000)

    def is_empty(self) -> bool:
        """Tell whether the catalogue holds neither a facility nor a user."""
        with self.store.reading() as connection:
            statement = 'SELECT EXISTS (SELECT 1 FROM "Facility") OR EXISTS (SELECT 1 FROM "User")'
            return not connection.execute(statement).fetchone()[0]

    def close(self) -> None:
        """Close the database."""
        self.store.close()
