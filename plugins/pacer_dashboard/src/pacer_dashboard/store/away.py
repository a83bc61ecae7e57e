"""Telling a database that is away from one that does not take a record."""

from __future__ import annotations

from django.db import InterfaceError, OperationalError

_LIMITS = "54"
"""The class of PostgreSQL's errors for what is too large or too complex, whenever it is asked."""


def is_away(error: BaseException) -> bool:
    """Tell whether a database is away, locked or full: it may take the same record later."""
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    state = getattr(error.__cause__, "sqlstate", None)
    return not (isinstance(state, str) and state.startswith(_LIMITS))
