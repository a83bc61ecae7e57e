"""The task that keeps a user, their employer and their role in VISA; it joins the consumer ``users``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pacer_core import BadField, Context, Planned, Reject, task
from pacer_icat import User, fold, user_name
from pacer_visa.client import Visa
from pacer_visa.columns import cut, planned, whole
from pacer_visa.integration import VISA
from pacer_visa.own import are_there, is_news, is_overtaken, owners_of, remember_usernames, stamp_of

if TYPE_CHECKING:
    from psycopg import Connection

_NO_INSTANCES = 0
_EMPLOYER = ("name", "town", "country_code")
_USER = ("first_name", "last_name", "email", "affiliation_id")


def foresee_user(user: User, ctx: Context) -> list[Planned]:
    """Say what `sync_visa_user` would do; VISA's database refuses changes meanwhile."""
    visa = ctx[VISA]
    key = whole("users.id", "id", str(user.id))
    with visa.reading() as connection:
        if are_there(connection):
            if is_overtaken(connection, f"user:{key}", stamp_of(ctx)):
                return [Planned(f"user {key}", "left-out", "VISA has a newer message about them")]
            _refuse_names(user, owners_of(connection, key, _names(user)))
        return list(_foresee(connection, key, user, visa, ctx))


def _foresee(
    connection: Connection[Any], key: str, user: User, visa: Visa, ctx: Context
) -> Iterator[Planned]:
    if (employer := _employer_row(user, ctx)) is not None:
        what = f"employer {employer[0]}"
        yield planned(connection, what, "employer", employer[0], _EMPLOYER, employer[1:])
    row = _user_row(key, user, visa, ctx)
    columns = _USER if row[4] is not None else _USER[:-1]
    yield planned(connection, f"user {key}", "users", key, columns, row[1 : 1 + len(columns)])
    quota = connection.execute("SELECT instance_quota FROM users WHERE id = %s", [key]).fetchone()
    if not user.enabled and quota != (_NO_INSTANCES,):
        yield Planned(f"user {key}", "changed", "may run no instance any more")
    if user.enabled and quota == (_NO_INSTANCES,) and _is_suspended(connection, key):
        yield Planned(f"user {key}", "changed", "may run instances again")
    if visa.options.staff_role is not None:
        yield from _foresee_role(connection, key, visa.options.staff_role, has_it=user.is_staff)


def _is_suspended(connection: Connection[Any], key: str) -> bool:
    if not are_there(connection):
        return False
    found = connection.execute("SELECT 1 FROM pacer_suspended WHERE user_id = %s", [key])
    return found.fetchone() is not None


def _foresee_role(connection: Connection[Any], key: str, name: str, *, has_it: bool) -> Iterator[Planned]:
    role = _role(connection, name, has_it=has_it)
    if role is None:
        return
    held = connection.execute(
        "SELECT expires_at FROM user_role WHERE user_id = %s AND role_id = %s", [key, role]
    ).fetchone()
    if has_it:
        yield Planned(f"role {name}", "new" if held is None else "there" if held == (None,) else "changed")
    elif held is not None:
        yield Planned(f"role {name}", "removed")


@task(needs=[VISA], plan=foresee_user)
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


def _names(user: User) -> list[str]:
    return [fold(user_name(one.username)) for one in user.user_list]


def _remember(connection: Connection[Any], key: str, user: User) -> None:
    """Note the names of a user's accounts; what has been written of them goes where one is another user's."""
    _refuse_names(user, remember_usernames(connection, key, _names(user)))


def _refuse_names(user: User, others: Mapping[str, str]) -> None:
    """Refuse user names that are somebody else's; ``others`` says whose."""
    if others:
        raise Reject(
            "a user name belongs to another person",
            fields=[
                BadField(
                    f"user_list[{place}].username",
                    f"belongs to user {others[name]} in VISA; where the user office has given it to this "
                    "person, delete its row of the table pacer_username, and replay the message",
                )
                for place, name in enumerate(_names(user))
                if name in others
            ],
        )


def _employer_row(user: User, ctx: Context) -> tuple[Any, ...] | None:
    """Give id, name, town and country of a user's employer."""
    employer = user.affiliation
    if employer is None:
        return None
    parts = (employer.name, employer.unit, employer.department_name)
    return (
        employer.id,
        cut(ctx, "employer.name", ", ".join(part for part in parts if part)),
        cut(ctx, "employer.town", employer.city),
        cut(ctx, "employer.country_code", employer.country_code),
    )


def _write_employer(connection: Connection[Any], user: User, ctx: Context) -> None:
    row = _employer_row(user, ctx)
    if row is None:
        return
    connection.execute(
        "INSERT INTO employer AS known (id, name, town, country_code) VALUES (%s, %s, %s, %s) "
        "ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, town = EXCLUDED.town, "
        "country_code = EXCLUDED.country_code "
        "WHERE (known.name, known.town, known.country_code) "
        "IS DISTINCT FROM (EXCLUDED.name, EXCLUDED.town, EXCLUDED.country_code)",
        row,
    )


def _user_row(key: str, user: User, visa: Visa, ctx: Context) -> tuple[Any, ...]:
    """Give id, first and last name, address, employer, quota and time of activation of a user who is new."""
    return (
        key,
        cut(ctx, "users.first_name", user.first_name),
        cut(ctx, "users.last_name", user.last_name),
        whole("users.email", "email", user.email),
        None if user.affiliation is None else user.affiliation.id,
        visa.options.default_quota,
        visa.clock(datetime.now(UTC)) if visa.options.activate_users else None,
    )


def _write_user(connection: Connection[Any], key: str, user: User, visa: Visa, ctx: Context) -> None:
    connection.execute(
        "INSERT INTO users AS known "
        "(id, first_name, last_name, email, affiliation_id, instance_quota, activated_at) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s) "
        "ON CONFLICT (id) DO UPDATE SET first_name = EXCLUDED.first_name, last_name = EXCLUDED.last_name, "
        "email = EXCLUDED.email, affiliation_id = coalesce(EXCLUDED.affiliation_id, known.affiliation_id) "
        "WHERE (known.first_name, known.last_name, known.email, known.affiliation_id) IS DISTINCT FROM "
        "(EXCLUDED.first_name, EXCLUDED.last_name, EXCLUDED.email, "
        "coalesce(EXCLUDED.affiliation_id, known.affiliation_id))",
        _user_row(key, user, visa, ctx),
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
    role = _role(connection, name, has_it=has_it)
    if role is None:
        return
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


def _role(connection: Connection[Any], name: str, *, has_it: bool) -> int | None:
    """Give VISA's number of a role; ``None`` where there is none and nobody is to have it."""
    found = connection.execute(
        "SELECT id FROM role WHERE name = %s AND group_created_at IS NULL", [name]
    ).fetchone()
    if found is not None:
        return int(found[0])
    if not has_it:
        return None
    raise Reject(f"VISA has no role {name!r}: let VISA make its roles, or correct the option staffRole")
