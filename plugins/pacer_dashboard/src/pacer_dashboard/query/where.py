"""What a viewer may see, and what a filter asks for, as conditions on messages. Nothing else decides that.

An answer is the union of streams. Each is a chain of conditions that one index serves; a rule is a stream of
its own, and so are the two places that a search looks at, since a database that is asked for one thing or
another in one question reads all there is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.db import connection
from django.db.models import Exists, OuterRef, Q
from django.db.models.expressions import RawSQL

from pacer_dashboard.models import ErrorGroup, Identifier, Life, Payload
from pacer_dashboard.query.filters import Filter
from pacer_dashboard.query.viewer import Right, Rule, Viewer

NOTHING = Q(pk__in=[])
_WORD = re.compile(r"\w+")


def streams(viewer: Viewer, filter_: Filter, right: Right = Right.VIEW) -> list[Q]:
    """Give the conditions of which a message has to meet one, for a viewer to have a right on it."""
    asked = _asked(filter_)
    found: list[Q] = []
    for rule in rules(viewer, right):
        allowed = asked if rule is None else asked & _covered(rule)
        if not filter_.words:
            found.append(allowed)
            continue
        found.append(allowed & _in_text(filter_.words))
        if rule is None:
            found.append(allowed & _in_payload(filter_.words))
    if filter_.words and not viewer.everything:
        # Who may look into a payload: by a rule of its own, beside the one that gives the right.
        for rule in rules(viewer, right):
            for personal in rules(viewer, Right.PERSONAL):
                if rule is not None and personal is not None:
                    both = asked & _covered(rule) & _covered(personal)
                    found.append(both & _in_payload(filter_.words))
    return found


def any_of(conditions: Iterable[Q]) -> Q:
    """Give one condition of several; of none, that which nothing meets."""
    found = NOTHING
    for number, one in enumerate(conditions):
        found = one if number == 0 else found | one
    return found


def rules(viewer: Viewer, right: Right) -> list[Rule | None]:
    """Give the rules that give a right; ``None`` stands for every message."""
    if viewer.everything:
        return [None]
    return [
        one
        for one in viewer.rules
        if one.gives(right) and one.types != frozenset() and all(one.identifiers.values())
    ]


def with_merged(group: int) -> list[int]:
    """Give a group, or the one that stands for it, with all those that it stands for."""
    root = ErrorGroup.objects.filter(id=group).values_list("merged_into", flat=True).first() or group
    return [root, *ErrorGroup.objects.filter(merged_into=root).values_list("id", flat=True)]


def has(key: str, values: Iterable[str]) -> Q:
    """Have an identifier, with one of some values."""
    return Q(
        Exists(
            Identifier.objects.filter(
                arrived=OuterRef("arrived"),
                correlation_id=OuterRef("correlation_id"),
                key=key,
                value__in=sorted(values),
            )
        )
    )


def _covered(rule: Rule) -> Q:
    condition = Q() if rule.types is None else Q(type__in=sorted(rule.types))
    for key, values in rule.identifiers.items():
        condition &= has(key, values)
    return condition


def _asked(filter_: Filter) -> Q:
    """Give what a filter asks for, but for what it searches."""
    condition = Q()
    for name, values in (
        ("type", filter_.types),
        ("consumer", filter_.consumers),
        ("state", filter_.states),
    ):
        if values:
            condition &= Q(**{f"{name}__in": values})
    for name, values in (
        ("instrument", filter_.instruments),
        ("proposal", filter_.proposals),
        ("dataset", filter_.datasets),
    ):
        if values:
            condition &= has(name, values)
    for key, value in filter_.identifiers:
        condition &= has(key, [value])
    if filter_.group is not None:
        condition &= Q(group__in=with_merged(filter_.group))
    if filter_.begin is not None:
        condition &= Q(arrived__gte=filter_.begin)
    if filter_.end is not None:
        condition &= Q(arrived__lt=filter_.end)
    if filter_.exchange is not None:
        condition &= Q(exchange=filter_.exchange)
    if filter_.routing_key is not None:
        condition &= Q(routing_key=filter_.routing_key)
    if filter_.acknowledged is not None:
        condition &= Q(acknowledged_at__isnull=not filter_.acknowledged)
    for name, value in filter_.excluded:
        condition &= _not(name, value)
    return condition


def _not(name: str, value: str) -> Q:
    if name == "group":
        return Q(group__isnull=True) | ~Q(group__in=with_merged(int(value)))
    return ~Q(**{name: value})


def _in_text(words: Iterable[str]) -> Q:
    """Give: each word stands in the identifiers or errors."""
    condition = Q()
    for word in words:
        condition &= Q(text__contains=word)
        if connection.vendor == "sqlite" and len(word) >= 3:
            condition &= Q(correlation_id__in=_found("pacer_dashboard_text", _quoted(word)))
    return condition


def _in_payload(words: Iterable[str]) -> Q:
    """Give: each word is the beginning of one in a payload, as far as that is searched."""
    parts = [part for word in words for part in _WORD.findall(word)]
    if not parts:
        return NOTHING
    if connection.vendor == "sqlite":
        asked = " AND ".join(f"{_quoted(part)} *" for part in parts)
        return Q(correlation_id__in=_found("pacer_dashboard_words", asked))
    query = " & ".join(f"'{part}':*" for part in parts)
    searched = RawSQL("to_tsvector('simple', left(body, 65536)) @@ to_tsquery('simple', %s)", [query])
    found = Payload.objects.annotate(found=searched).filter(found=True)
    return Q(correlation_id__in=found.values("correlation_id"))


def _found(table: str, query: str) -> object:
    """Give the correlation ids of what SQLite's index finds."""
    rows = RawSQL(f'SELECT rowid FROM "{table}" WHERE "{table}" MATCH %s', [query])  # noqa: S608, S611
    return Life.objects.filter(id__in=rows).values("correlation_id")


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'
