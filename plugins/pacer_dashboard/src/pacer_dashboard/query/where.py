"""What a viewer may see, and what a filter asks for, as conditions on messages. Nothing else decides that.

An answer is the union of streams. Each is a chain of conditions that one index serves; a rule is a stream of
its own, and so are the two places that a search looks at, since a database that is asked for one thing or
another in one question reads all there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from attrs import evolve, frozen
from django.db.models import Q

from pacer_dashboard.models import ErrorGroup
from pacer_dashboard.query import search, walks
from pacer_dashboard.query.filters import Filter
from pacer_dashboard.query.viewer import Right, Rule, Viewer

NOTHING = Q(pk__in=[])


@frozen
class Stream:
    """Conditions that a message has to meet, all of them."""

    plain: Q
    """On the columns of messages."""
    having: tuple[walks.Having, ...] = ()
    words: tuple[str, ...] = ()
    in_payload: bool = False
    begin: datetime | None = None
    end: datetime | None = None

    def condition(self) -> Q:
        """Give all of it as one condition, for questions in which order plays no part."""
        condition = self.of_messages()
        for one in self.having:
            condition &= walks.has(*one)
        if self.words and self.in_payload:
            condition &= search.in_payload(self.words, self.begin, self.end)
        return condition

    def walks(self) -> Iterator[walks.Walk]:
        """Give the messages as walks through indexes."""
        return walks.walks(self.plain, self.having, self.words, in_payload=self.in_payload)

    def of_messages(self) -> Q:
        """Give what it asks of the columns of messages."""
        return self.plain if self.in_payload else self.plain & search.in_text(self.words)


def streams(viewer: Viewer, filter_: Filter, right: Right = Right.VIEW) -> list[Stream]:
    """Give what together is all that a filter asks for, and on which a viewer has a right."""
    asked = _asked(filter_)
    found: list[Stream] = []
    for rule in rules(viewer, right):
        allowed = asked if rule is None else _and(asked, rule)
        if not filter_.words:
            found.append(allowed)
            continue
        found.append(evolve(allowed, words=filter_.words))
        # Whoever searches in a payload has to have that right as well, by this rule or by another one.
        for personal in rules(viewer, Right.PERSONAL):
            both = allowed if personal is None else _and(allowed, personal)
            found.append(evolve(both, words=filter_.words, in_payload=True))
    return found


def visible(viewer: Viewer, filter_: Filter, right: Right = Right.VIEW) -> Q:
    """Give the same as one condition."""
    return any_of(one.condition() for one in streams(viewer, filter_, right))


def any_of(conditions: Iterable[Q]) -> Q:
    """Give one condition of several; of none, that which nothing meets."""
    found: Q | None = None
    for one in conditions:
        if not one:  # meets everything
            return one
        found = one if found is None else found | one
    return NOTHING if found is None else found


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


def _and(stream: Stream, rule: Rule) -> Stream:
    """Give what of a stream a rule is about."""
    plain = stream.plain if rule.types is None else stream.plain & Q(type__in=sorted(rule.types))
    having = tuple((key, tuple(sorted(values))) for key, values in sorted(rule.identifiers.items()))
    return evolve(stream, plain=plain, having=(*stream.having, *having))


def _asked(filter_: Filter) -> Stream:
    """Give what a filter asks for, but for what it searches."""
    condition = Q()
    for name, values in (
        ("type", filter_.types),
        ("consumer", filter_.consumers),
        ("state", filter_.states),
    ):
        if values:
            condition &= Q(**{f"{name}__in": values})
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
    having: list[walks.Having] = [
        (name, values)
        for name, values in (
            ("instrument", filter_.instruments),
            ("proposal", filter_.proposals),
            ("dataset", filter_.datasets),
        )
        if values
    ]
    having += ((key, (value,)) for key, value in filter_.identifiers)
    return Stream(condition, tuple(having), begin=filter_.begin, end=filter_.end)


def _not(name: str, value: str) -> Q:
    if name == "group":
        return Q(group__isnull=True) | ~Q(group__in=with_merged(int(value)))
    return ~Q(**{name: value})
