"""Tables of PACER's own beside VISA's: what messages do not carry, and VISA has no place for.

``pacer_stamp`` has the time of the last message about each user, proposal and experiment, so that older ones
that come late change nothing. ``pacer_username`` has the user of each user name, the first who came with it:
VISA knows its users by number only, investigations name theirs. ``pacer_suspended`` has the quota that a
disabled user had.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pacer_core import Context

if TYPE_CHECKING:
    from psycopg import Connection

TABLES = {
    "pacer_stamp": "subject varchar(300) PRIMARY KEY, stamp timestamptz NOT NULL",
    "pacer_username": "username varchar(255) PRIMARY KEY, user_id varchar(255) NOT NULL",
    "pacer_suspended": "user_id varchar(255) PRIMARY KEY, instance_quota int NOT NULL",
}
_AHEAD = timedelta(minutes=5)  # a publisher's clock may be ahead of ours
_LOCK = 0x50414345  # "PACE"; two processes that start at once shall not make the same table


def prepare(connection: Connection[Any]) -> None:
    """Make the tables that are missing; an account without that right needs them made by somebody else."""
    if _missing(connection):
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        for table in _missing(connection):
            connection.execute(f"CREATE TABLE {table} ({TABLES[table]})".encode())


def _missing(connection: Connection[Any]) -> list[str]:
    found = connection.execute(
        "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NULL", [list(TABLES)]
    )
    return [name for (name,) in found]


def are_there(connection: Connection[Any]) -> bool:
    """Tell whether the tables have been made."""
    return not _missing(connection)


def stamp_of(ctx: Context) -> datetime:
    """Give the time that a message speaks of: its publisher's ``timestamp``, else when it was first seen.

    A stamp of the future is not believed: whatever comes until then would count as older.
    """
    seen = ctx.envelope.first_seen or datetime.now(UTC)
    stamp = ctx.envelope.published
    if stamp is not None and stamp > seen + _AHEAD:
        ctx.log.warning("the publisher's timestamp lies in the future: the time of arrival counts instead")
        return seen
    return stamp or seen


def is_news(connection: Connection[Any], subject: str, stamp: datetime) -> bool:
    """Note a message's stamp; tell whether it is at least as new as all before it.

    Whoever works on the same subject at the same time waits here until this transaction ends.
    """
    noted = connection.execute(
        "INSERT INTO pacer_stamp AS known (subject, stamp) VALUES (%s, %s) "
        "ON CONFLICT (subject) DO UPDATE SET stamp = EXCLUDED.stamp "
        "WHERE known.stamp <= EXCLUDED.stamp RETURNING subject",
        [subject, stamp],
    )
    return noted.fetchone() is not None


def is_overtaken(connection: Connection[Any], subject: str, stamp: datetime) -> bool:
    """Tell whether a message after this one has been noted; notes nothing."""
    found = connection.execute(
        "SELECT 1 FROM pacer_stamp WHERE subject = %s AND stamp > %s", [subject, stamp]
    ).fetchone()
    return found is not None


def owners_of(connection: Connection[Any], user: str, usernames: Iterable[str]) -> Mapping[str, str]:
    """Give the user names that are somebody else's, with whose; notes nothing."""
    found = connection.execute(
        "SELECT username, user_id FROM pacer_username JOIN users ON users.id = user_id "
        "WHERE username = ANY(%s) AND user_id <> %s",
        [sorted(set(usernames)), user],
    )
    return dict(found.fetchall())


def remember_usernames(connection: Connection[Any], user: str, usernames: Iterable[str]) -> Mapping[str, str]:
    """Note whose these user names are; give those that are somebody else's already, with whose.

    A name stays with the first one who came with it, for as long as VISA has that user: whoever else comes
    with it would take over their experiments.
    """
    others: dict[str, str] = {}
    for name in sorted(set(usernames)):
        noted = connection.execute(
            "INSERT INTO pacer_username AS known (username, user_id) VALUES (%s, %s) "
            "ON CONFLICT (username) DO UPDATE SET user_id = CASE "
            "WHEN EXISTS (SELECT 1 FROM users WHERE users.id = known.user_id) THEN known.user_id "
            "ELSE EXCLUDED.user_id END RETURNING known.user_id",
            [name, user],
        ).fetchone()
        if noted is not None and noted[0] != user:
            others[name] = noted[0]
    return others
