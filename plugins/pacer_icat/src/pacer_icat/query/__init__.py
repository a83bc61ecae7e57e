"""Asking ICAT in the words of Django: `Q`, conditions by path and operator, and lazy `Objects`."""

from pacer_icat.query.conditions import Q
from pacer_icat.query.errors import QueryError
from pacer_icat.query.objects import Objects

__all__ = ["Objects", "Q", "QueryError"]
