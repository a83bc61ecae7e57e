"""Ways through messages, each along one index in the order of arrival.

Which index serves what: those of `Message`, its columns; the key of `Identifier`, what a message is found by;
`message_text` and `payload_words`, a search; the key of `Message`, all that is known by its place already.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from attrs import evolve, frozen
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from pacer_dashboard.models import Identifier, Message
from pacer_dashboard.query import search
from pacer_dashboard.query.spans import INSTANT, QUARTER, Span

Having = tuple[str, tuple[str, ...]]
"""An identifier's key, and the values of which a message has to have one."""
Place = tuple[datetime, str]
"""When a message arrived, and its correlation id."""
_COLUMNS = ("instrument", "proposal", "dataset")
"""Identifiers that messages have as columns as well."""
_WALKS = 12
"""Values of an identifier up to which each is a walk of its own."""
_SOME = 3000
"""Messages of a span up to which all that have the words of a search are looked at."""
_SAMPLE, _SHARE = 200, 25
"""Messages of a sample, and of how many one has words that are common."""
_AT_ONCE = 500
"""Of these, how many are asked for in a statement."""
_FEW = 600
"""Messages up to which an identifier is rare, so that all their places are looked up first."""


@frozen
class Found:
    """Messages whose places are known, of which those are meant that meet a condition."""

    condition: Q
    places: tuple[Place, ...]
    arrived: str = "arrived"
    correlation_id: str = "correlation_id"

    def first(self, more: Q, begin: datetime, end: datetime, most: int, *, newest: bool) -> list[Message]:
        """Give the first ones that meet another condition as well, in their order; all are of the span."""
        sign = "-" if newest else ""
        found: list[Message] = []
        for messages in self._messages(newest=newest):
            ordered = messages.filter(more).order_by(f"{sign}arrived", f"{sign}correlation_id")
            found += ordered[: most - len(found)]
            if len(found) == most:
                break
        return found

    def ids(self, begin: datetime, end: datetime, most: int) -> set[str]:
        """Give the correlation ids of some: of all, where they are not more."""
        found: set[str] = set()
        for messages in self._messages(newest=True):
            found |= {*_ids(messages)}
            if len(found) >= most:
                break
        return found

    def _messages(self, *, newest: bool) -> Iterator[QuerySet[Message]]:
        places = sorted(self.places, reverse=newest)
        for at in range(0, len(places), _AT_ONCE):
            times, ids = zip(*places[at : at + _AT_ONCE], strict=True)
            between = Q(arrived__gte=min(times), arrived__lte=max(times))  # by which months are left out
            yield Message.objects.filter(
                self.condition & between & Q(arrived__in=times, correlation_id__in=ids)
            )


@frozen
class ByWords:
    """What is searched for, and what else is asked of the messages that have it."""

    words: tuple[str, ...]
    in_payload: bool
    condition: Q

    def within(self, begin: datetime, end: datetime) -> Found | None:
        """Give the messages of a span by their words, where few have them, which no planner knows."""
        if self.in_payload:
            found: QuerySet[Any] = search.payloads(self.words, begin, end)
        else:
            span = Message.objects.filter(arrived__gte=begin, arrived__lt=end)
            if self._are_common(span):
                return None
            found = span.filter(self.condition & search.in_text(self.words))
        places = found.values_list("arrived", "correlation_id")[: _SOME + 1]
        return None if len(places) > _SOME else Found(self.condition, tuple({*places}))

    def _are_common(self, span: QuerySet[Message]) -> bool:
        """Tell by the newest messages of a span whether many have the words in their text."""
        newest = span.order_by("-arrived", "-correlation_id").values_list("text", flat=True)[:_SAMPLE]
        return sum(all(word in text for word in self.words) for text in newest) * _SHARE > _SAMPLE


@frozen
class Walk:
    """Messages along one index: ``arrived`` and ``correlation_id`` are the names of its columns."""

    condition: Q
    arrived: str = "arrived"
    correlation_id: str = "correlation_id"
    in_payload: tuple[str, ...] = ()
    """Words that a payload has to have."""
    places: tuple[Place, ...] | None = None
    """Where they are, and maybe others, if that is known."""
    alone: Having | None = None
    """The identifier, where nothing else is asked for."""
    joins: bool = False
    """Whether other tables are looked at for each message."""
    driver: Having | None = None
    """The identifier along which it goes."""
    by_words: ByWords | None = None
    """By what the same messages are found faster where few have the words of a search."""

    def within(self, begin: datetime, end: datetime) -> Walk | Found:
        """Give the shorter way through a span of time."""
        found = None if self.by_words is None else self.by_words.within(begin, end)
        return self if found is None else found

    def first(self, more: Q, begin: datetime, end: datetime, most: int, *, newest: bool) -> list[Message]:
        """Give the first ones of a span of time that meet another condition as well, in their order."""
        sign = "-" if newest else ""
        found: list[Message] = []
        for span in self._spans(begin, end, newest=newest):
            messages = self._messages(more, *span).order_by(sign + self.arrived, sign + self.correlation_id)
            found += messages[: most - len(found)]
            if len(found) == most:
                break
        return found

    def ids(self, begin: datetime, end: datetime, most: int) -> set[str]:
        """Give the correlation ids of some messages of a span of time: of all, where they are not more."""
        if self.alone is not None and self.places is not None:
            return {id_ for time, id_ in self.places if begin <= time < end}
        if self.alone is not None:
            key, values = self.alone
            found = Identifier.objects.filter(key=key, value__in=values, arrived__gte=begin, arrived__lt=end)
            return {*_ids(found)[:most]}
        spans = self._spans(begin, end, newest=True)
        return {id_ for span in spans for id_ in _ids(self._messages(Q(), *span))[:most]}

    def _messages(self, more: Q, begin: datetime, end: datetime) -> QuerySet[Message]:
        """Say the span of every table, so that their other months are not looked at."""
        condition = self.condition & more
        for arrived in {self.arrived, "arrived"}:
            condition &= Q(**{f"{arrived}__gte": begin, f"{arrived}__lt": end})
        if self.in_payload:
            condition &= search.in_payload(self.in_payload, begin, end)
        return Message.objects.filter(condition)  # in one go: of one and the same identifier

    def _spans(self, begin: datetime, end: datetime, *, newest: bool) -> Iterator[Span]:
        """Give those parts of a span in which messages can be, in their order, none of many months."""
        if self.places is None:
            yield begin, end
            return
        here: list[datetime] = []
        for time in sorted((time for time, _ in self.places if begin <= time < end), reverse=newest):
            if here and abs(time - here[0]) > QUARTER:
                yield min(here), max(here) + INSTANT
                here = []
            here.append(time)
        if here:
            yield min(here), max(here) + INSTANT


def walks(
    condition: Q, having: Sequence[Having], words: tuple[str, ...] = (), *, in_payload: bool = False
) -> Iterator[Walk]:
    """Give the messages that meet a condition and have identifiers, and words in payloads or elsewhere.

    They are gone through by the rarest identifier, if any, or by the words where these are rarer.
    """
    text = Q() if in_payload else search.in_text(words)
    for one in _walks(condition & text, having, words if in_payload else ()):
        if not words or one.driver is None or one.places is not None or connection.vendor != "postgresql":
            yield one
            continue
        rest, _ = _and_have(condition, [one.driver, *having])
        yield evolve(one, by_words=ByWords(words, in_payload, rest))


def _walks(condition: Q, having: Sequence[Having], in_payload: tuple[str, ...]) -> Iterator[Walk]:
    for one in sorted(having, key=lambda one: one[0] == "instrument"):  # which has many messages, mostly
        places = _places(one)
        if len(places) <= _FEW:
            yield _along(one, condition, having, in_payload, tuple(places))
            return
    driver = min(having, key=lambda one: len(one[1]), default=None)
    if driver is None or len(driver[1]) > _WALKS:
        rest, joins = _and_have(condition, having)
        yield Walk(rest, in_payload=in_payload, joins=joins or bool(in_payload))
        return
    key, values = driver
    others = [one for one in having if one is not driver]
    for value in values:
        yield _along((key, (value,)), condition, others, in_payload)


def _along(
    driver: Having,
    condition: Q,
    having: Sequence[Having],
    in_payload: tuple[str, ...],
    places: tuple[Place, ...] | None = None,
) -> Walk:
    """Give the walk through the messages that have an identifier."""
    key, values = driver
    rest, _ = _and_have(condition, [one for one in having if one is not driver])
    return Walk(
        rest & Q(postings__key=key, postings__value__in=values),
        "postings__arrived",
        "postings__correlation_id",
        in_payload,
        places,
        alone=None if rest or in_payload else driver,
        joins=True,
        driver=driver,
    )


def _and_have(condition: Q, having: Sequence[Having]) -> tuple[Q, bool]:
    """Add identifiers to a condition; give whether that looks at other tables."""
    for one in having:
        condition &= has(*one)
    return condition, any(key not in _COLUMNS for key, _ in having)


def has(key: str, values: Sequence[str]) -> Q:
    """Have an identifier, with one of some values; empty ones are none."""
    if key in _COLUMNS:
        return Q(**{f"{key}__in": [value for value in values if value]})
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


def _ids(rows: QuerySet[Any]) -> QuerySet[Any, str]:
    return rows.values_list("correlation_id", flat=True)


def _places(having: Having) -> list[Place]:
    """Give where the messages are that have an identifier; more than `_FEW` where there are too many."""
    key, values = having
    found = Identifier.objects.filter(key=key, value__in=values)
    return [*found.values_list("arrived", "correlation_id")[: _FEW + 1]]
