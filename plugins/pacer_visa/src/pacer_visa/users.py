"""The task that keeps a user, their employer and their role in VISA; it joins the consumer ``users``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pacer_core import BadField, Context, Reject, task
from pacer_icat import User, fold, user_name
from pacer_visa.client import Visa
from pacer_visa.columns import cut, whole
from pacer_visa.integration import VISA
from pacer_visa.own import is_news, remember_usernames, stamp_of

if TYPE_CHECKING:
    from psycopg import Connection

_NO_INSTANCES = 0


@task(needs=[VISA])
def sync_visa_user(user: User, ctx: Context) -> None:
    """Write a user, their employer and their role into VISA; older messages change nothing."""
    visa = ctx[VISA]
    key = whole("users.id", "id", str(user.id))
    with visa.transaction() as connection:
        if not is_news(connection, f"user:{key}", stamp_of(ctx)):
            ctx.log.info("VISA has a newer message about this user: nothing to do")
            return
        _write_employer(connection, user, ctx)
        _write_user(connection, key, user, visa, ctx)
        _set_quota(connection, key, user.enabled)
        if visa.options.staff_role is not None:
            _set_role(connection, key, visa.options.staff_role, has_it=user.is_staff)
        _remember(connection, key, user)


def _remember(connection: Connection[Any], key: str, user: User) -> None:
    """Note the names of a user's accounts; what has been written of them goes where one is another user's."""
    names = [fold(user_name(one.username)) for one in user.user_list]
    others = remember_usernames(connection, key, names)
    if others:
        raise Reject(
            "a user name belongs to another person",
            fields=[
                BadField(
                    f"user_list[{place}].username",
                    f"belongs to user {others[name]} in VISA; where the user office has given it to this "
                    "person, delete its row of the table pacer_username, and replay the message",
                )
                for place, name in enumerate(names)
                if name in others
            ],
        )


def _write_employer(connection: Connection[Any], user: User, ctx: Context) -> None:
    employer = user.affiliation
    if employer is None:
        return
    parts = (employer.name, employer.unit, employer.department_name)
    connection.execute(
        "INSERT INTO employer AS known (id, name, town, country_code) VALUES (%s, %s, %s, %s) "
        "ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, town = EXCLUDED.town, "
        "country_code = EXCLUDED.country_code "
        "WHERE (known.name, known.town, known.country_code) "
        "IS DISTINCT FROM (EXCLUDED.name, EXCLUDED.town, EXCLUDED.country_code)",
        [
            employer.id,
            cut(ctx, "employer.name", ", ".join(part for part in parts if part)),
            cut(ctx, "employer.town", employer.city),
            cut(ctx, "employer.country_code", employer.country_code),
        ],
    )


def _write_user(connection: Connection[Any], key: str, user: User, visa: Visa, ctx: Context) -> None:
    now = visa.clock(datetime.now(UTC)) if visa.options.activate_users else None
    connection.execute(
        "INSERT INTO users AS known "
        "(id, first_name, last_name, email, affiliation_id, instance_quota, activated_at) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s) "
        "ON CONFLICT (id) DO UPDATE SET first_name = EXCLUDED.first_name, last_name = EXCLUDED.last_name, "
        "email = EXCLUDED.email, affiliation_id = coalesce(EXCLUDED.affiliation_id, known.affiliation_id) "
        "WHERE (known.first_name, known.last_name, known.email, known.affiliation_id) IS DISTINCT FROM "
        "(EXCLUDED.first_name, EXCLUDED.last_name, EXCLUDED.email, "
        "coalesce(EXCLUDED.affiliation_id, known.affiliation_id))",
        [
            key,
            cut(ctx, "users.first_name", user.first_name),
            cut(ctx, "users.last_name", user.last_name),
            whole("users.email", "email", user.email),
            None if user.affiliation is None else user.affiliation.id,
            visa.options.default_quota,
            now,
        ],
    )


def _set_quota(connection: Connection[Any], key: str, enabled: bool) -> None:
    """Take a disabled user's quota, and give it back; a quota that VISA's administrators set stays."""
    if enabled:
        connection.execute(
            "WITH had AS (DELETE FROM pacer_suspended WHERE user_id = %s RETURNING instance_quota) "
            "UPDATE users SET instance_quota = had.instance_quota FROM had "
            "WHERE users.id = %s AND users.instance_quota = %s",
            [key, key, _NO_INSTANCES],
        )
        return
    connection.execute(
        "INSERT INTO pacer_suspended (user_id, instance_quota) SELECT id, instance_quota FROM users "
        "WHERE id = %s ON CONFLICT (user_id) DO NOTHING",
        [key],
    )
    connection.execute(
        "UPDATE users SET instance_quota = %s WHERE id = %s AND instance_quota <> %s",
        [_NO_INSTANCES, key, _NO_INSTANCES],
    )


def _set_role(connection: Connection[Any], key: str, name: str, *, has_it: bool) -> None:
    """Give or take one role, by its name; ``user_role`` may have no key, so the user's row is the lock."""
    connection.execute("SELECT 1 FROM users WHERE id = %s FOR UPDATE", [key])
    found = connection.execute(
        "SELECT id FROM role WHERE name = %s AND group_created_at IS NULL", [name]
    ).fetchone()
    if found is None:
        if not has_it:
            return
        raise Reject(f"VISA has no role {name!r}: let VISA make its roles, or correct the option staffRole")
    (role,) = found
    if not has_it:
        connection.execute("DELETE FROM user_role WHERE user_id = %s AND role_id = %s", [key, role])
        return
    connection.execute(
        "UPDATE user_role SET expires_at = NULL "
        "WHERE user_id = %s AND role_id = %s AND expires_at IS NOT NULL",
        [key, role],
    )
    connection.execute(
        "INSERT INTO user_role (user_id, role_id) SELECT %s, %s "
        "WHERE NOT EXISTS (SELECT 1 FROM user_role WHERE user_id = %s AND role_id = %s)",
        [key, role, key, role],
    )
