"""The database that the jobs are in: SQLite or PostgreSQL, opened, migrated, and its transactions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    create_engine,
    event,
    insert,
    inspect,
    make_url,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from pacer_core import Secret, redact
from pacer_pacifica.jobs.driver import PATIENCE, Driver, begin_to_write
from pacer_pacifica.jobs.errors import DatabaseError
from pacer_pacifica.jobs.tables import MIGRATIONS, VERSION, metadata, next_id, version

_LOCK = 0x50414349  # "PACI"; two processes that start at once shall not make the same table
_QUICK = "SET LOCAL synchronous_commit = off"
_UNTIL_IT_IS_AWAY = {
    "tcp_user_timeout": 30_000, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3,
}  # fmt: skip
"""Without these a request to a PostgreSQL whose host is gone waits for hours, and a thread with it."""


class Database:
    """A job database; threads share it. Close it at the end.

    Parameters
    ----------
    address
        A file's path, or ``postgresql://ACCOUNT@HOST:PORT/DATABASE``.
    password
        Of PostgreSQL's account.

    Raises
    ------
    DatabaseError
        Where it does not answer, or is of a later version than this one.
    """

    def __init__(self, address: str, password: Secret | None = None) -> None:
        self._engine = _engine(address, password)
        self._reading = self._engine.execution_options(pacer_reads=True)
        self._durable = self._engine.execution_options(pacer_durable=True)
        self.is_sqlite = self._engine.dialect.name == "sqlite"
        self._turn: AbstractContextManager[object] = Lock() if self.is_sqlite else nullcontext()
        self._driver: Any = self._engine.dialect.loaded_dbapi
        self.address = address
        try:
            self._migrate()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that only reads.

        Raises
        ------
        DatabaseError
            Where the database does not answer.
        """
        with self._translated(), self._reading.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, *, durable: bool = False) -> Iterator[Connection]:
        """Give a connection in a transaction, committed at the end; ``durable`` ones outlive a power cut.

        SQLite has one writer at a time. Threads of a process take turns here: SQLite would have them sleep,
        and look again, whoever comes first.

        Raises
        ------
        DatabaseError
            Where the database does not answer.
        """
        engine = self._durable if durable else self._engine
        with self._translated(), self._turn, engine.begin() as connection:
            if not self.is_sqlite and not durable:
                connection.exec_driver_sql(_QUICK)
            yield connection

    @contextmanager
    def at_once(self, *, durable: bool = False) -> Iterator[Driver]:
        """Give a transaction as `writing` does, at the driver: for few short statements, asked very often.

        Raises
        ------
        DatabaseError
            Where the database does not answer.
        """
        with self._translated(), self._turn, closing(self._engine.raw_connection()) as connection:
            try:
                driver = Driver(connection, is_sqlite=self.is_sqlite)
                if self.is_sqlite:
                    begin_to_write(connection, durable=durable)
                elif not durable:
                    driver.run(_QUICK, {})
                yield driver
                connection.commit()
            except self._driver.Error as error:
                connection.invalidate(error)  # the pool would log that it cannot roll back what is lost
                raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, self._driver.Error) as error:
            # SQLAlchemy's own text quotes the statement, with what people have sent.
            said = " ".join(str(getattr(error, "orig", error)).split())
            raise DatabaseError(f"the job database {self.address}: {redact(said)}") from None
        except SQLAlchemyError as error:
            raise DatabaseError(f"the job database {self.address}: {redact(str(error))}") from None

    def _migrate(self) -> None:
        with self.writing(durable=True) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            if not inspect(connection).has_table(version.name):
                metadata.create_all(connection)
                connection.execute(insert(version).values(version=VERSION))
                connection.execute(
                    insert(next_id), [{"mode": one, "next": 1} for one in ("upload_job", "file")]
                )
                return
            found = connection.execute(select(version.c.version)).scalar_one()
            if found > VERSION:
                raise DatabaseError(
                    f"the job database {self.address} is of version {found}, and this PACER knows {VERSION}: "
                    "update pacer-pacifica here as well"
                )
            for number in range(found + 1, VERSION + 1):
                for statement in MIGRATIONS[number]:
                    connection.execute(text(statement))
            if found < VERSION:
                connection.execute(update(version).values(version=VERSION))


def _engine(address: str, password: Secret | None) -> Engine:
    if Path(address).is_absolute():
        _make_private(Path(address))
        engine = create_engine(f"sqlite:///{address}", connect_args={"timeout": PATIENCE}, pool_size=4)
        event.listen(engine, "connect", _on_connect)
        event.listen(engine, "begin", _on_begin)
        return engine
    url = make_url(address).set(drivername="postgresql+psycopg")
    if password is not None:
        url = url.set(password=password.reveal())
    try:
        return create_engine(
            url,
            pool_pre_ping=True,
            pool_size=4,
            connect_args={"connect_timeout": 10, "application_name": "pacer", **_UNTIL_IT_IS_AWAY},
        )
    except ModuleNotFoundError:
        raise DatabaseError(
            "PostgreSQL's client is not installed: pip install 'pacer-pacifica[postgresql]'"
        ) from None


def _make_private(path: Path) -> None:
    """Make the file where it is not there: it names people, and SQLite would leave that to the umask.

    One that is there is not even opened: to close it would give up the locks of all who have it open in this
    process, and another process that ends would take their log of changes for its own, and remove it.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        pass
    except FileNotFoundError:
        raise DatabaseError(
            f"the job database {path}: there is no such folder; the service makes it when it begins"
        ) from None
    except OSError as error:
        raise DatabaseError(f"the job database {path}: {error.strerror or error}") from None


def _on_connect(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions begin when `_on_begin` says so
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _on_begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("pacer_reads"):
        connection.exec_driver_sql("BEGIN")
        return
    begin_to_write(connection.connection, durable=options.get("pacer_durable", False))
