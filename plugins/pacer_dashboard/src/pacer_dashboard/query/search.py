"""Search: in identifiers and errors for what stands anywhere in them, in payloads for beginnings of words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from django.db import connection
from django.db.models import Q, QuerySet, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import StrIndex
from django.db.models.lookups import GreaterThan

from pacer_dashboard.models import Life, Payload

SEARCHED = 65_536
"""Characters of a payload in which words are found."""
_NOTHING = Q(pk__in=[])
# As the index `payload_words` has it, in the first migration.
_WORDS = "to_tsvector('simple', translate(left(body, 65536), '-_/.:,;@=+*#~&?!|', '                 '))"
_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"[^\W_]*\d{5,}[^\W_]*")  # which few messages have, unlike a year
_INDEXED = 3  # letters from which on SQLite's index helps


def in_text(words: Iterable[str]) -> Q:
    """Give: each word stands in the identifiers or errors; PostgreSQL's trigrams find it.

    Those that nearly all messages have cost most: of ``scan_01775162`` the number alone is looked up, and the
    rest is compared.
    """
    condition = Q()
    for word in words:
        number = max(_NUMBER.findall(word), key=len, default=word)
        if connection.vendor == "postgresql" and number != word:
            condition &= Q(text__contains=number) & Q(GreaterThan(StrIndex("text", Value(word)), 0))
            continue
        condition &= Q(text__contains=word)
        if connection.vendor == "sqlite" and len(word) >= _INDEXED:
            condition &= Q(correlation_id__in=_found("pacer_dashboard_text", _quoted(word)))
    return condition


def in_payload(words: Iterable[str], begin: datetime | None, end: datetime | None) -> Q:
    """Give: each word is the beginning of one in a payload, as far as that is searched.

    Of ``scan_12`` the first part is a whole word, as the mark behind it says: an index that looks for all
    words that begin so reads all messages that have one. Messages that did not arrive between ``begin`` and
    ``end`` need not be found.
    """
    parts = _parts(words)
    if not parts:
        return _NOTHING
    if connection.vendor == "sqlite":
        asked = " AND ".join(_quoted(part) + " *" * open_ for part, open_ in parts)
        return Q(correlation_id__in=_found("pacer_dashboard_words", asked))
    return Q(pk__in=payloads(words, begin, end).values("arrived", "correlation_id", "troubled"))


def payloads(words: Iterable[str], begin: datetime | None, end: datetime | None) -> QuerySet[Payload]:
    """Give the payloads in which PostgreSQL finds all words, of messages that arrived in a span."""
    parts = _parts(words)
    if not parts:
        return Payload.objects.none()
    searched = RawSQL(  # noqa: S611 - the words are a parameter
        f"{_WORDS} @@ to_tsquery('simple', %s)",
        [" & ".join(f"'{part}'" + ":*" * open_ for part, open_ in parts)],
    )
    found = Payload.objects.annotate(found=searched).filter(found=True)
    if begin is not None:
        found = found.filter(arrived__gte=begin)
    if end is not None:
        found = found.filter(arrived__lt=end)
    return found


def _parts(words: Iterable[str]) -> list[tuple[str, bool]]:
    """Give the parts of words between punctuation, and whether one is a beginning: the last of a word."""
    found: list[tuple[str, bool]] = []
    for word in words:
        parts = _WORD.findall(word)
        found += ((part, number == len(parts)) for number, part in enumerate(parts, 1))
    return found


def _found(table: str, query: str) -> object:
    """Give the correlation ids of what SQLite's index finds."""
    rows = RawSQL(f'SELECT rowid FROM "{table}" WHERE "{table}" MATCH %s', [query])  # noqa: S608, S611
    return Life.objects.filter(id__in=rows).values("correlation_id")


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'
