"""Search: in identifiers and errors for what stands anywhere in them, in payloads for beginnings of words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from django.db import connection
from django.db.models import Q
from django.db.models.expressions import RawSQL

from pacer_dashboard.models import Life, Payload

SEARCHED = 65_536
"""Characters of a payload in which words are found."""
_NOTHING = Q(pk__in=[])
# As the index `payload_words` has it, in the first migration.
_WORDS = "to_tsvector('simple', translate(left(body, 65536), '-_/.:,;@=+*#~&?!|', '                 '))"
_WORD = re.compile(r"[^\W_]+")
_INDEXED = 3  # letters from which on SQLite's index helps


def in_text(words: Iterable[str]) -> Q:
    """Give: each word stands in the identifiers or errors; PostgreSQL's trigrams find it."""
    condition = Q()
    for word in words:
        condition &= Q(text__contains=word)
        if connection.vendor == "sqlite" and len(word) >= _INDEXED:
            condition &= Q(correlation_id__in=_found("pacer_dashboard_text", _quoted(word)))
    return condition


def in_payload(words: Iterable[str], begin: datetime | None, end: datetime | None) -> Q:
    """Give: each word is the beginning of one in a payload, as far as that is searched.

    Messages that did not arrive between ``begin`` and ``end`` need not be found.
    """
    parts = [part for word in words for part in _WORD.findall(word)]
    if not parts:
        return _NOTHING
    if connection.vendor == "sqlite":
        asked = " AND ".join(f"{_quoted(part)} *" for part in parts)
        return Q(correlation_id__in=_found("pacer_dashboard_words", asked))
    searched = RawSQL(  # noqa: S611 - the words are a parameter
        f"{_WORDS} @@ to_tsquery('simple', %s)",
        [" & ".join(f"'{part}':*" for part in parts)],
    )
    found = Payload.objects.annotate(found=searched).filter(found=True)
    if begin is not None:
        found = found.filter(arrived__gte=begin)
    if end is not None:
        found = found.filter(arrived__lt=end)
    return Q(pk__in=found.values("arrived", "correlation_id", "troubled"))


def _found(table: str, query: str) -> object:
    """Give the correlation ids of what SQLite's index finds."""
    rows = RawSQL(f'SELECT rowid FROM "{table}" WHERE "{table}" MATCH %s', [query])  # noqa: S608, S611
    return Life.objects.filter(id__in=rows).values("correlation_id")


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'
