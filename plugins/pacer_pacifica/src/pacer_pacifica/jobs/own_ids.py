"""Numbers from the job database."""

from __future__ import annotations

from sqlalchemy import update

from pacer_pacifica.jobs.database import Database
from pacer_pacifica.jobs.tables import next_id


class OwnIds:
    """Numbers from the job database, from 1 on."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, mode: str, count: int) -> int:
        """Give the first of so many numbers in a row.

        Raises
        ------
        DatabaseError
            Where the database does not answer.
        """
        statement = (
            update(next_id)
            .where(next_id.c.mode == mode)
            .values(next=next_id.c.next + count)
            .returning(next_id.c.next)
        )
        with self._database.writing() as connection:  # whoever uses them commits durably, and this with it
            after: int = connection.execute(statement).scalar_one()
        return after - count
