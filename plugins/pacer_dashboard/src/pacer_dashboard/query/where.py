"""What a viewer may see, and what a filter asks for, as conditions on messages. Nothing else decides that.

An answer is the union of streams. Each is a chain of conditions that one index serves; a rule is a stream of
its own, and so are the two places that a search looks at, since a database that is asked for one thing or
another in one question reads all there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from attrs import evolve, frozen
from django.db.models import Exists, OuterRef, Q, QuerySet

from pacer_dashboard.models import ErrorGroup, Identifier, Message
from pacer_dashboard.query import search
from pacer_dashboard.query.filters import Filter
from pacer_dashboard.query.viewer import Right, Rule, Viewer

NOTHING = Q(pk__in=[])
Having = tuple[str, tuple[str, ...]]
"""An identifier's key, and the values of which a message has to have one."""
_WALKS = 12
"""Values of an identifier up to which each is a walk of its own."""


@frozen
class Walk:
    """Messages along one index: ``arrived`` and ``correlation_id`` are the names of its columns."""

    condition: Q
    arrived: str = "arrived"
    correlation_id: str = "correlation_id"
    in_payload: tuple[str, ...] = ()
    """Words that a payload has to have."""
    alone: tuple[str, str] | None = None
    """The key and value of the identifier, where nothing else is asked for."""

    def messages(self, more: Q, begin: datetime, end: datetime) -> QuerySet[Message]:
        """Give those of a span of time that meet another condition as well.

        The span is said of every table, so that their other months are not looked at.
        """
        condition = self.condition & more
        for arrived in {self.arrived, "arrived"}:
            condition &= Q(**{f"{arrived}__gte": begin, f"{arrived}__lt": end})
        if self.in_payload:
            condition &= search.in_payload(self.in_payload, begin, end)
        return Message.objects.filter(condition)  # in one go: of one and the same identifier

    def places(self, begin: datetime, end: datetime) -> QuerySet[Any, tuple[datetime, str]]:
        """Give when the messages of a span arrived, and their correlation ids, the newest first."""
        if self.alone is None:
            return (
                self.messages(Q(), begin, end)
                .order_by(f"-{self.arrived}", f"-{self.correlation_id}")
                .values_list(self.arrived, self.correlation_id)
            )
        key, value = self.alone
        return (
            Identifier.objects.filter(key=key, value=value, arrived__gte=begin, arrived__lt=end)
            .order_by("-arrived", "-correlation_id")
            .values_list("arrived", "correlation_id")
        )


@frozen
class Stream:
    """Conditions that a message has to meet, all of them."""

    plain: Q
    """On the columns of messages."""
    having: tuple[Having, ...] = ()
    words: tuple[str, ...] = ()
    in_payload: bool = False
    begin: datetime | None = None
    end: datetime | None = None

    def condition(self) -> Q:
        """Give all of it as one condition, for questions in which order plays no part."""
        condition = self._without(None)
        if self.words and self.in_payload:
            return condition & search.in_payload(self.words, self.begin, self.end)
        return condition & self._in_text()

    def walks(self) -> Iterator[Walk]:
        """Give the messages as walks through indexes: through those of identifiers, where it has such."""
        driver = min(self.having, key=lambda one: len(one[1]), default=None)
        if driver is None or len(driver[1]) > _WALKS:
            yield Walk(self._without(None) & self._in_text(), in_payload=self._payload_words)
            return
        key, values = driver
        condition = self._without(driver) & self._in_text()
        for value in values:
            walk = condition & Q(postings__key=key, postings__value=value)
            alone = None if condition or self.in_payload else (key, value)
            yield Walk(walk, "postings__arrived", "postings__correlation_id", self._payload_words, alone)

    def _without(self, driver: Having | None) -> Q:
        condition = self.plain
        for one in self.having:
            if one is not driver:
                condition &= _has(*one)
        return condition

    def _in_text(self) -> Q:
        return search.in_text(self.words) if self.words and not self.in_payload else Q()

    @property
    def _payload_words(self) -> tuple[str, ...]:
        return self.words if self.in_payload else ()


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


def _has(key: str, values: tuple[str, ...]) -> Q:
    """Have an identifier, with one of some values."""
    return Q(
        Exists(
            Identifier.objects.filter(
                arrived=OuterRef("arrived"),
                correlation_id=OuterRef("correlation_id"),
                key=key,
                value__in=values,
            )
        )
    )


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
    having: list[Having] = [
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
