"""Telling a database that is away from one that does not take a record."""

from __future__ import annotations

from django.db import Error, InterfaceError, OperationalError

_LIMITS = "54"
"""The class of PostgreSQL's errors for what is too large or too complex, whenever it is asked."""
_NOT_READY = ("42P01", "42703", "42501", "25006")
"""No such table or column, as before ``pacer dashboard migrate``; no right to it; and to be read alone."""


def is_away(error: BaseException) -> bool:
    """Tell whether a database is away, locked, full or not migrated: it may take the same record later."""
    if not isinstance(error, Error):
        return False
    state = str(getattr(error.__cause__, "sqlstate", None) or "")
    if state in _NOT_READY:
        return True
    return isinstance(error, OperationalError | InterfaceError) and not state.startswith(_LIMITS)
