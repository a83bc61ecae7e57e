"""The client: a pool of connections to VISA's database, and transactions on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from pacer_core import redact
from pacer_visa.faults import VisaAway, is_of_its_connection, translated
from pacer_visa.options import VisaOptions
from pacer_visa.own import prepare

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg_pool import ConnectionPool

Row = tuple[Any, ...]


class Visa:
    """VISA's database as tasks see it: ``with visa.transaction() as rows: ...``; threads may share it."""

    def __init__(self, options: VisaOptions) -> None:
        # Not with the plugin, which every command loads.
        from psycopg.conninfo import make_conninfo
        from psycopg_pool import ConnectionPool

        self.options = options
        self.zone = ZoneInfo(options.time_zone)
        """That of VISA's server, by whose clock its database has all times."""
        self._pool: ConnectionPool[Connection[Row]] = ConnectionPool(
            make_conninfo("", **_parameters(options)),
            kwargs={"password": options.password.reveal()},
            min_size=0,
            max_size=options.pool_size,
            timeout=options.connect_timeout.total_seconds() + 1,
            check=ConnectionPool.check_connection,
            name="visa",
            open=False,
        )
        self._prepared = False
        self._preparing = Lock()

    def open(self) -> None:
        """Begin; connections are made when somebody asks for one."""
        self._pool.open()

    def close(self) -> None:
        """End every connection."""
        self._pool.close()

    @contextmanager
    def transaction(self) -> Iterator[Connection[Row]]:
        """Give a connection inside a transaction: committed at the end, given up at an exception.

        Raises what `pacer_visa.faults.translated` says where PostgreSQL refuses.
        """
        from psycopg import Error

        with translated(), self._pool.connection() as connection:
            with self._preparing:
                if not self._prepared:
                    prepare(connection)
                    connection.commit()
                    self._prepared = True
            try:
                yield connection
            except Error as error:
                if is_of_its_connection(error):
                    connection.close()  # the pool makes another one
                raise

    @contextmanager
    def reading(self) -> Iterator[Connection[Row]]:
        """Give a connection in a transaction in which PostgreSQL itself refuses every change.

        PACER's own tables may not be there yet: see `pacer_visa.own.are_there`.
        """
        with translated(), self._pool.connection() as connection:
            connection.execute("SET TRANSACTION READ ONLY")
            yield connection

    def check(self) -> None:
        """Ask for something harmless, on a connection of its own: the pool would not say why it gets none.

        Raises
        ------
        VisaAway
            Where VISA's database does not answer, lets us not in, is read-only, or is not what it should be.
        """
        from psycopg import OperationalError, connect
        from psycopg.conninfo import make_conninfo

        secret = self.options.password.reveal()
        try:
            connection = connect(make_conninfo("", **_parameters(self.options)), password=secret)
        except OperationalError as error:
            said = " ".join(str(error).split())  # of hosts and accounts alone: nothing has been asked yet
            raise VisaAway(f"VISA's database: {redact(said)}") from None
        with translated(), connection:
            connection.execute("SELECT count(*) FROM role")
            if connection.execute("SHOW transaction_read_only").fetchone() == ("on",):
                raise VisaAway("VISA's database: it is read-only")

    def clock(self, time: datetime | None) -> datetime | None:
        """Give a time as VISA stores it: by the clock of its server, without an offset."""
        if time is None or time.tzinfo is None:
            return time
        return time.astimezone(self.zone).replace(tzinfo=None)


def _parameters(options: VisaOptions) -> dict[str, Any]:
    """Give libpq's parameters (PostgreSQL's documentation, 34.1.2), all but the password."""
    given = {
        "host": options.host,
        "port": options.port,
        "dbname": options.database,
        "user": options.username,
        "sslmode": options.ssl_mode,
        "sslrootcert": options.ca_file or ("system" if options.ssl_mode == "verify-full" else None),
        "connect_timeout": max(2, round(options.connect_timeout.total_seconds())),
        "application_name": "pacer",
        "client_encoding": "UTF8",
        "options": f"-c search_path={_escaped(options.schema)} "
        f"-c statement_timeout={round(options.statement_timeout.total_seconds() * 1000)}",
        "keepalives_idle": 30,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }
    return {name: value for name, value in given.items() if value is not None}


def _escaped(name: str) -> str:
    """Give a schema's name as it stands in libpq's ``options``: quoted for SQL, blanks escaped for libpq."""
    quoted = '"' + name.replace('"', '""') + '"'
    return quoted.replace("\\", "\\\\").replace(" ", "\\ ")
