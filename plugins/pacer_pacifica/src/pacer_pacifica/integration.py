"""The integration ``pacifica``: the jobs and the spool, as tasks see them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from pacer_core import IntegrationType
from pacer_pacifica.jobs import Database, DatabaseError, Ids, Jobs, OwnIds
from pacer_pacifica.options import PacificaOptions


@frozen
class Pacifica:
    """What every task of a job needs; threads share it."""

    jobs: Jobs
    ids: Ids
    spool: Path
    """Where what was uploaded is, under the ``name`` of its message."""


def database_of(options: PacificaOptions) -> Database:
    """Open the job database that the options name."""
    return Database(options.database or f"{options.spool}/jobs.sqlite", options.database_password)


@contextmanager
def open_pacifica(options: PacificaOptions) -> Iterator[Pacifica]:
    """Open the job database for a worker."""
    database = database_of(options)
    try:
        yield Pacifica(Jobs(database), OwnIds(database), Path(options.spool))
    finally:
        database.close()


def _check(pacifica: Pacifica) -> None:
    pacifica.jobs.find(limit=1)


def _is_away(error: BaseException) -> bool:
    return isinstance(error, DatabaseError)


PACIFICA: IntegrationType[Pacifica] = IntegrationType(
    name="pacifica", options=PacificaOptions, open=open_pacifica, check=_check, is_away=_is_away
)
"""``ctx[PACIFICA]`` is the worker's `Pacifica`."""
