"""What PostgreSQL refuses, as what PACER does about it; its own words quote values, so they stay here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg_pool import PoolTimeout

from pacer_core import NotYet, Reject, Retry

# Classes and codes of SQLSTATE: PostgreSQL's documentation, appendix A.
_AWAY = ("08", "28", "3D", "3F", "53", "57P", "58", "F0", "XX")
_NOT_AS_EXPECTED = {
    "42501": "the account may not do this",
    "3F000": "a schema is missing: is this VISA's schema?",
    "42P01": "a table is missing: is this VISA's schema?",
    "42703": "a column is missing: is this VISA 2.4 or newer?",
}
_TRANSIENT = {
    "40001": "another transaction came between",
    "40P01": "a deadlock",
    "55P03": "a lock that is not given up",
    "57014": "a statement that takes too long",
    "25P03": "a transaction that was ended for waiting too long",
}
_FOREIGN_KEY = "23503"


class VisaAway(Retry):
    """VISA's database does not answer, lets us not in, or is not what it should be: the message waits."""


@contextmanager
def translated() -> Iterator[None]:
    """Raise what becomes of a message, in words that quote no value, for what psycopg raises.

    Raises
    ------
    VisaAway
        Where nothing is known against the message.
    Retry
        Where the same transaction may succeed at once.
    NotYet
        Where a row that another message brings is missing.
    Reject
        Where the message holds what VISA cannot store.
    """
    try:
        yield
    except PoolTimeout:
        raise VisaAway("VISA's database gives no connection") from None
    except psycopg.Error as error:
        raise _meaning(error) from None


def _meaning(error: psycopg.Error) -> Exception:
    code = error.sqlstate
    if code is None or code in _NOT_AS_EXPECTED or (code.startswith(_AWAY) and code not in _TRANSIENT):
        why = "the connection was lost" if code is None else _NOT_AS_EXPECTED.get(code, "it is away")
        return VisaAway(f"VISA's database: {why}{_place(error)}")
    if code in _TRANSIENT:
        return Retry(f"VISA's database: {_TRANSIENT[code]}{_place(error)}", after=1)
    if code == _FOREIGN_KEY:
        return NotYet(f"VISA's database: a row that this one refers to is not there yet{_place(error)}")
    return Reject(f"VISA's database refused a value{_place(error)}")


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
