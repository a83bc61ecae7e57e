"""What PostgreSQL refuses, as what PACER does about it; its own words quote values, so they stay here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from pacer_core import NotYet, Reject, Retry

if TYPE_CHECKING:
    import psycopg

_Kind = Literal["away", "again", "not-yet", "reject"]
_SCHEMA = "is this VISA's schema?"
_POOLER = "a pooler that mixes up prepared statements"
_AWAY = "it is away"
_VALUE = "it refused a value"

# Classes and codes of SQLSTATE: PostgreSQL's documentation, appendix A. The longest that fits counts.
_MEANINGS: dict[str, tuple[_Kind, str]] = {
    "08": ("away", _AWAY),
    "22": ("reject", _VALUE),
    "23": ("reject", _VALUE),
    "23503": ("not-yet", "a row that this one refers to is not there yet"),
    "25": ("again", "a transaction that had ended"),
    "25006": ("away", "it is read-only"),
    "25P03": ("again", "a transaction that was ended for waiting too long"),
    "26": ("again", _POOLER),
    "28": ("away", "it does not let us in"),
    "3D": ("away", "there is no database of that name"),
    "3F": ("away", f"a schema is missing: {_SCHEMA}"),
    "40": ("again", "a transaction that was rolled back"),
    "40001": ("again", "another transaction came between"),
    "40P01": ("again", "a deadlock"),
    "42": ("away", f"it is not as expected: {_SCHEMA}"),
    "42501": ("away", "the account may not do this"),
    "42703": ("away", "a column is missing: is this VISA 2.4 or newer?"),
    "42P01": ("away", f"a table is missing: {_SCHEMA}"),
    "42P05": ("again", _POOLER),
    "44": ("reject", _VALUE),
    "53": ("away", "it is out of connections, memory or disk"),
    "55": ("again", "something that is in use"),
    "55P03": ("again", "a lock that is not given up"),
    "57": ("again", "a statement that was ended"),
    "57014": ("again", "a statement that takes too long"),
    "57P": ("away", "it is stopping, or starting"),
    "58": ("away", "it cannot read or write its files"),
    "F0": ("away", _AWAY),
}
_UNKNOWN: tuple[_Kind, str] = ("again", "it refused, and not for a value that is known to be bad")
_OF_ITS_CONNECTION = ("25006", "26000", "42P05")


class VisaAway(Retry):
    """VISA's database does not answer, lets us not in, or is not what it should be: the message waits."""

    def __init__(self, reason: object) -> None:
        super().__init__(reason, counted=False)


def is_of_its_connection(error: psycopg.Error) -> bool:
    """Tell whether a new connection may do better: to the server that writes now, or without leftovers."""
    return error.sqlstate in _OF_ITS_CONNECTION


@contextmanager
def translated() -> Iterator[None]:
    """Raise what becomes of a message, in words that quote no value, for what psycopg raises.

    Raises
    ------
    VisaAway
        Where nothing is known against the message.
    Retry
        Where the same transaction may succeed at once, and for whatever is not known.
    NotYet
        Where a row that another message brings is missing.
    Reject
        Where it is known that the message holds what VISA cannot store.
    """
    from psycopg import Error
    from psycopg_pool import PoolTimeout

    try:
        yield
    except PoolTimeout:
        raise VisaAway("VISA's database gives no connection") from None
    except Error as error:
        raise _meaning(error) from None


def _meaning(error: psycopg.Error) -> Retry | NotYet | Reject:
    """Give what becomes of the message; dead only where it is known to be to blame."""
    kind, why = _look_up(error)
    reason = f"VISA's database: {why}{_place(error)}"
    if kind == "away":
        return VisaAway(reason)
    if kind == "not-yet":
        return NotYet(reason)
    if kind == "reject":
        return Reject(reason)
    return Retry(reason, after=None if (kind, why) == _UNKNOWN else 1)


def _look_up(error: psycopg.Error) -> tuple[_Kind, str]:
    from psycopg import DataError

    code = error.sqlstate
    if code is not None:
        return next((_MEANINGS[code[:size]] for size in (5, 3, 2) if code[:size] in _MEANINGS), _UNKNOWN)
    if isinstance(error, DataError):  # psycopg's own, before anything was sent
        return "reject", _VALUE
    return "away", "the connection was lost"


def _place(error: psycopg.Error) -> str:
    diag = error.diag
    found = (
        ("table", diag.table_name),
        ("column", diag.column_name),
        ("constraint", diag.constraint_name),
        ("SQLSTATE", error.sqlstate),
    )
    named = [f"{what} {name}" for what, name in found if name]
    return f" ({', '.join(named)})" if named else ""
