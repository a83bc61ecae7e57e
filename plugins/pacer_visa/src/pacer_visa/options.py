"""The YAML options of the integration ``visa``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from attrs import field, frozen, validators

from pacer_core import Secret
from pacer_icat import EMBARGO_YEARS


def _is_zone(_: Any, __: Any, name: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("is no time zone; write one like Europe/Madrid") from None


def _is_no_administrator(_: Any, __: Any, role: str | None) -> None:
    if role is not None and role.strip().casefold() in ("", "admin"):
        raise ValueError("is a role that PACER gives to nobody: name the role of the facility's staff")


@frozen
class VisaOptions:
    """VISA's PostgreSQL database, and the account that PACER uses there.

    Attributes
    ----------
    host, port, database
        Where PostgreSQL answers, and the database.
    username, password
        The account. It reads and writes ``employer``, ``users``, ``user_role``, ``proposal``, ``experiment``
        and ``experiment_user``, reads ``role`` and ``instrument``, and owns the tables ``pacer_...``.
    schema
        The schema that holds VISA's tables.
    ssl_mode
        As PostgreSQL's clients know it. Everything below ``verify-full`` trusts whoever answers.
    ca_file
        A file of certificates (PEM) to trust instead of the system's.
    pool_size
        The number of connections that one process keeps.
    connect_timeout, statement_timeout
        How long PostgreSQL may take to let us in, and for one statement.
    time_zone
        The zone of VISA's server (``Europe/Madrid``): VISA's columns hold times without an offset.
    default_quota
        The number of instances that a new user may run at once.
    staff_role
        The role that a user with ``is_staff`` has and others have not; without it, roles are left alone.
        It is the only role that PACER touches.
    activate_users
        Whether a new user counts as activated. VISA activates users itself at their first login.
    """

    host: str
    username: str
    password: Secret
    time_zone: str = field(validator=_is_zone)
    port: int = field(default=5432, validator=[validators.ge(1), validators.le(65_535)])
    database: str = "visa"
    schema: str = "visa"
    ssl_mode: Literal["disable", "require", "verify-ca", "verify-full"] = "verify-full"
    ca_file: str | None = None
    pool_size: int = field(default=4, validator=validators.ge(1))
    connect_timeout: timedelta = field(default=timedelta(seconds=5), validator=validators.gt(timedelta(0)))
    statement_timeout: timedelta = field(default=timedelta(seconds=15), validator=validators.gt(timedelta(0)))
    default_quota: int = field(default=2, validator=validators.ge(-1))
    staff_role: str | None = field(default="STAFF", validator=_is_no_administrator)
    activate_users: bool = False


@frozen
class ProposalOptions:
    """How proposals are kept in VISA.

    Attributes
    ----------
    embargo_years
        How many years after a visit's end its data are public; never those of industry.
    """

    embargo_years: int = field(default=EMBARGO_YEARS, validator=validators.ge(0))
