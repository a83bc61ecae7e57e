"""The field of names: compared byte by byte, in every database alike."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

ACTOR = 320
"""Characters of the name of who does something: an account's and a token's, of 150 each, and a few beside."""


class Name(models.CharField):  # type: ignore[type-arg]  # it takes none when it runs
    """A short text that is compared and sorted by its characters' numbers, as Python does, in no language."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 255)
        super().__init__(*args, **kwargs)

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        """Give the column's type, with PostgreSQL's collation ``C``; SQLite compares so by itself."""
        found: dict[str, Any] = dict(super().db_parameters(connection))
        if connection.vendor == "postgresql":
            found["collation"] = "C"
        return found
