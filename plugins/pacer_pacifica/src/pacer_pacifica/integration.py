"""The integration ``pacifica``: the jobs and the spool, as tasks see them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from attrs import frozen

from pacer_core import IntegrationType, Secret
from pacer_http import HttpClient
from pacer_http import is_away as is_away_over_http
from pacer_pacifica.ends.uniqueid import UniqueId
from pacer_pacifica.jobs import DatabaseError, FileNumbers, Ids
from pacer_pacifica.options import PacificaOptions

if TYPE_CHECKING:
    from pacer_pacifica.jobs import Database, Jobs

_PATIENCE = timedelta(seconds=30)


@frozen
class Pacifica:
    """What every task of a job needs; threads share it."""

    jobs: Jobs
    files: FileNumbers
    spool: Path
    """Where what was uploaded is, under the ``name`` of its message."""


class Places(Protocol):
    """The options of where jobs and bundles are: those of the integration and of the service have them."""

    @property
    def spool(self) -> str: ...  # noqa: D102 - as `PacificaOptions`
    @property
    def database(self) -> str | None: ...  # noqa: D102
    @property
    def database_password(self) -> Secret | None: ...  # noqa: D102


def database_of(options: Places) -> Database:
    """Open the job database that the options name."""
    from pacer_pacifica.jobs import Database

    return Database(_address(options), options.database_password)


def is_there(options: Places) -> bool:
    """Say whether there is a job database to be opened, or one of PostgreSQL's."""
    address = _address(options)
    return not Path(address).is_absolute() or Path(address).exists()


def _address(options: Places) -> str:
    return options.database or f"{options.spool}/jobs.sqlite"


@contextmanager
def open_pacifica(options: PacificaOptions) -> Iterator[Pacifica]:
    """Open the job database for a worker."""
    from pacer_pacifica.jobs import Jobs

    with closing(database_of(options)) as database, ids_of(options.unique_id_url, database) as ids:
        yield Pacifica(Jobs(database), FileNumbers(ids), Path(options.spool))


@contextmanager
def ids_of(url: str | None, database: Database) -> Iterator[Ids]:
    """Open what numbers come from: the uniqueid service at ``url``, or else the job database."""
    from pacer_pacifica.jobs import OwnIds

    if url is None:
        yield OwnIds(database)
        return
    with HttpClient("the uniqueid service", url, timeout=_PATIENCE) as http:
        yield UniqueId(http)


def _check(pacifica: Pacifica) -> None:
    pacifica.jobs.find(limit=1)


def _is_away(error: BaseException) -> bool:
    return isinstance(error, DatabaseError) or is_away_over_http(error)


PACIFICA: IntegrationType[Pacifica] = IntegrationType(
    name="pacifica", options=PacificaOptions, open=open_pacifica, check=_check, is_away=_is_away
)
"""``ctx[PACIFICA]`` is the worker's `Pacifica`."""
