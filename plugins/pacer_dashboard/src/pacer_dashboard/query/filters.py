"""Filters: which messages are asked for. They stand in addresses, so that a list can be passed on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Protocol
from urllib.parse import urlencode

from attrs import evolve, frozen
from django.utils import timezone

from pacer_dashboard.query.errors import BadFilter
from pacer_dashboard.query.rows import Row
from pacer_dashboard.records.record import OUTCOMES

EXCLUDABLE = (
    "type",
    "consumer",
    "state",
    "instrument",
    "proposal",
    "dataset",
    "exchange",
    "routing_key",
    "group",
)
"""What ``not`` may be about."""
_TRUTH = {"yes": True, "no": False}
_LONGEST, _MOST = 255, 200


class Query(Protocol):
    """The parameters of an address: Django's ``QueryDict`` is one."""

    def getlist(self, key: str, /) -> Sequence[str]:
        """Give all values of a parameter."""
        ...


@frozen
class Filter:
    """What messages have to be like: all that is said has to hold, of several values of one thing any.

    ``since`` and ``until`` are about when a message arrived; a day of ``until`` is included as a whole.
    ``text`` are words, each of which has to stand in the identifiers and errors, or all of which are the
    beginnings of words in a payload: of ``scan_12``, a word and the beginning of another one. ``excluded``
    are pairs of a name of `EXCLUDABLE` and a value that is not wanted.
    """

    types: tuple[str, ...] = ()
    consumers: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    proposals: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    identifiers: tuple[tuple[str, str], ...] = ()
    text: str = ""
    group: int | None = None
    since: date | datetime | None = None
    until: date | datetime | None = None
    exchange: str | None = None
    routing_key: str | None = None
    acknowledged: bool | None = None
    excluded: tuple[tuple[str, str], ...] = ()

    @classmethod
    def from_query(cls, query: Query) -> Filter:
        """Read a filter from an address's parameters; those that it does not know are for others.

        Raises
        ------
        BadFilter
            Where one cannot be read, with its name.
        """
        lists = {attribute: _values(query, parameter) for attribute, parameter in _LISTS.items()}
        for state in lists["states"]:
            if state not in OUTCOMES:
                raise BadFilter("state", f"should be one of {', '.join(OUTCOMES)}")
        return cls(
            **lists,
            identifiers=tuple(_pair("id", one) for one in _values(query, "id")),
            text=" ".join(_values(query, "q")).strip(),
            group=_number(query, "group"),
            since=_moment(query, "since"),
            until=_moment(query, "until"),
            exchange=_last(query, "exchange"),
            routing_key=_last(query, "key"),
            acknowledged=_truth(query, "acknowledged"),
            excluded=tuple(_excluded(one) for one in _values(query, "not")),
        )

    def to_query(self) -> str:
        """Give the parameters of an address that says the same; always in the same order."""
        return urlencode([*self._parameters()])

    def _parameters(self) -> Iterator[tuple[str, str]]:
        for attribute, parameter in _LISTS.items():
            for value in getattr(self, attribute):
                yield parameter, value
        for key, value in self.identifiers:
            yield "id", f"{key}={value}"
        if self.text:
            yield "q", self.text
        if self.group is not None:
            yield "group", str(self.group)
        for name in ("since", "until"):
            if (moment := getattr(self, name)) is not None:
                yield name, moment.isoformat()
        if self.exchange is not None:
            yield "exchange", self.exchange
        if self.routing_key is not None:
            yield "key", self.routing_key
        if self.acknowledged is not None:
            yield "acknowledged", "yes" if self.acknowledged else "no"
        for name, value in self.excluded:
            yield "not", f"{name}={value}"

    @property
    def begin(self) -> datetime | None:
        """The first moment that is asked for."""
        return None if self.since is None else _begin(self.since)

    @property
    def end(self) -> datetime | None:
        """The first moment that is not asked for any more."""
        if self.until is None:
            return None
        if isinstance(self.until, datetime):
            return _begin(self.until)
        try:
            return _begin(self.until + timedelta(days=1))
        except OverflowError:
            return None

    @property
    def words(self) -> tuple[str, ...]:
        """What is searched for, in lower case."""
        return tuple(dict.fromkeys(self.text.lower().split()))

    def without_text(self) -> Filter:
        """Give the same filter without what is searched for."""
        return evolve(self, text="")

    def matches(self, row: Row, groups: Mapping[int, int] | None = None) -> bool:
        """Tell whether a message is asked for, as far as that can be told without its payload.

        ``groups`` has by each group that was merged the one that stands for it.
        """
        group = None if row.group is None else (groups or {}).get(row.group, row.group)
        wanted = None if self.group is None else (groups or {}).get(self.group, self.group)
        return (
            _one_of(row.type, self.types)
            and _one_of(row.consumer, self.consumers)
            and _one_of(row.state, self.states)
            and _one_of(row.instrument, self.instruments)
            and _one_of(row.proposal, self.proposals)
            and _one_of(row.dataset, self.datasets)
            and all(row.identifiers.get(key) == value for key, value in self.identifiers)
            and all(word in row.text for word in self.words)
            and (wanted is None or group == wanted)
            and (self.begin is None or row.arrived >= self.begin)
            and (self.end is None or row.arrived < self.end)
            and (self.exchange is None or row.exchange == self.exchange)
            and (self.routing_key is None or row.routing_key == self.routing_key)
            and (self.acknowledged is None or (row.acknowledged_at is not None) == self.acknowledged)
            and not any(_is(row, name, value, groups or {}) for name, value in self.excluded)
        )


_LISTS = {
    "types": "type",
    "consumers": "consumer",
    "states": "state",
    "instruments": "instrument",
    "proposals": "proposal",
    "datasets": "dataset",
}
"""By attribute, its parameter."""


def _one_of(value: str, wanted: Sequence[str]) -> bool:
    return not wanted or value in wanted


def _is(row: Row, name: str, value: str, groups: Mapping[int, int]) -> bool:
    if name != "group":
        return bool(getattr(row, name) == value)
    return row.group is not None and groups.get(row.group, row.group) == groups.get(int(value), int(value))


def _begin(moment: date | datetime) -> datetime:
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time.min)
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.get_current_timezone())


def _values(query: Query, parameter: str) -> tuple[str, ...]:
    values = tuple(dict.fromkeys(one for one in query.getlist(parameter) if one))
    if len(values) > _MOST:
        raise BadFilter(parameter, f"has more than {_MOST} values")
    for value in values:
        if len(value) > _LONGEST:
            raise BadFilter(parameter, f"is longer than {_LONGEST} characters")
        if "\0" in value:
            raise BadFilter(parameter, "holds the character 0")
    return values


def _last(query: Query, parameter: str) -> str | None:
    return (_values(query, parameter) or (None,))[-1]


def _number(query: Query, parameter: str) -> int | None:
    value = _last(query, parameter)
    if value is not None and not (value.isascii() and value.isdecimal() and len(value) < 19):
        raise BadFilter(parameter, "should be a number")
    return None if value is None else int(value)


def _moment(query: Query, parameter: str) -> date | datetime | None:
    value = _last(query, parameter)
    if value is None:
        return None
    try:
        moment = date.fromisoformat(value) if len(value) == 10 else datetime.fromisoformat(value)
        if not 1 < moment.year < 9999:
            raise ValueError
    except ValueError:
        raise BadFilter(parameter, "should be a day such as 2026-01-31, or a time in ISO 8601") from None
    return moment


def _truth(query: Query, parameter: str) -> bool | None:
    value = _last(query, parameter)
    if value is not None and value not in _TRUTH:
        raise BadFilter(parameter, "should be yes or no")
    return None if value is None else _TRUTH[value]


def _pair(parameter: str, text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals or not value:
        raise BadFilter(parameter, "should be an identifier and its value, as in instrument=ID21")
    return key, value


def _excluded(text: str) -> tuple[str, str]:
    name, value = _pair("not", text)
    if name not in EXCLUDABLE:
        raise BadFilter("not", f"should begin with one of {', '.join(EXCLUDABLE)} and =")
    if name == "group" and not (value.isascii() and value.isdecimal() and len(value) < 19):
        raise BadFilter("not", "a group is a number")
    return name, value
