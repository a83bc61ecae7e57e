"""The columns of VISA's tables that PACER fills, and what fits into them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pacer_core import BadField, Context, Planned, Reject

if TYPE_CHECKING:
    from psycopg import Connection

# From the JPA entities of visa-core 2.4 and the dump in visa-api-server, whichever is shorter.
_LIMITS = {
    "employer.name": 200,
    "employer.town": 100,
    "employer.country_code": 10,
    "users.id": 250,
    "users.first_name": 100,
    "users.last_name": 100,
    "users.email": 100,
    "proposal.identifier": 100,
    "proposal.title": 2000,
    "proposal.summary": 5000,
    "proposal.url": 2000,
    "proposal.doi": 2000,
    "experiment.id": 32,
    "experiment.title": 2000,
    "experiment.url": 2000,
    "experiment.doi": 2000,
}


def planned(
    connection: Connection[Any],
    what: str,
    table: str,
    key: Any,
    columns: Sequence[str],
    values: Sequence[Any],
) -> Planned:
    """Say what writing a row would change: it is looked up by its ``id``, and compared column by column."""
    names = ", ".join(columns)
    held = connection.execute(f"SELECT {names} FROM {table} WHERE id = %s".encode(), [key]).fetchone()  # noqa: S608 - names of ours
    if held is None:
        return Planned(what, "new")
    changed = [name for name, old, new in zip(columns, held, values, strict=True) if old != new]
    return Planned(what, "changed" if changed else "there", ", ".join(changed))


def cut(ctx: Context, column: str, text: str) -> str:
    """Give a text for people as it fits into a column; a warning names the column where it does not."""
    limit = _LIMITS[column]
    if len(text) <= limit:
        return text
    ctx.log.warning("VISA's %s holds %d characters: a text of %d is cut", column, limit, len(text))
    return text[:limit]


def whole(column: str, path: str, text: str) -> str:
    """Give a text that means something only as a whole: an identifier, an address.

    Raises
    ------
    Reject
        Where it does not fit; ``path`` names the message's field.
    """
    limit = _LIMITS[column]
    if len(text) > limit:
        problem = f"has {len(text)} characters; VISA's {column} holds {limit}"
        raise Reject("the message does not fit into VISA", fields=[BadField(path, problem)])
    return text
