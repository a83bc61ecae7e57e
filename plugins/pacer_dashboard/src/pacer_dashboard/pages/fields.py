"""The filter as people see it: its form, and a chip for each thing that is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext, gettext_lazy

from pacer_dashboard.query import choices
from pacer_dashboard.query.filters import Filter
from pacer_dashboard.query.viewer import Viewer

WORDS = {
    "type": gettext_lazy("Type"),
    "consumer": gettext_lazy("Consumer"),
    "state": gettext_lazy("State"),
    "instrument": gettext_lazy("Instrument"),
    "proposal": gettext_lazy("Proposal"),
    "dataset": gettext_lazy("Dataset"),
    "id": gettext_lazy("Identifier"),
    "q": gettext_lazy("Text"),
    "group": gettext_lazy("Error"),
    "since": gettext_lazy("Since"),
    "until": gettext_lazy("Until"),
    "exchange": gettext_lazy("Exchange"),
    "key": gettext_lazy("Routing key"),
    "acknowledged": gettext_lazy("Acknowledged"),
    "not": gettext_lazy("Not"),
}
"""By parameter, what it is called."""


def chips(filter_: Filter, base: QueryDict) -> list[dict[str, Any]]:
    """Give each thing that is asked for, with the address of the list without it."""
    found = []
    for name, values in QueryDict(filter_.to_query()).lists():
        for value in values:
            without = base.copy()
            without.setlist(name, [one for one in base.getlist(name) if one != value])
            if not without.getlist(name):
                del without[name]
            found.append(
                {
                    "word": WORDS[name],
                    "value": value,
                    "negated": name == "not",
                    "without": f"?{without.urlencode()}" if without.urlencode() else "?all=1",
                }
            )
    return found


def fields(viewer: Viewer, filter_: Filter) -> list[dict[str, Any]]:
    """Give the fields of the form, with what they hold and what may be chosen."""
    known = choices.choices(viewer)
    asked = QueryDict(filter_.to_query())

    def one(name: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "word": WORDS[name], "value": asked.get(name, ""), "kind": "text", **more}

    def select(name: str, values: tuple[str, ...]) -> dict[str, Any]:
        pairs = [(value, value) for value in dict.fromkeys([*asked.getlist(name), *values])]
        return one(name, choices=pairs) if pairs else one(name)

    return [
        select("type", known.types),
        select("consumer", known.consumers),
        select("instrument", known.instruments),
        one("proposal"),
        one("dataset"),
        one("id", hint=gettext("as in sample=S1")),
        one("since", **_time(filter_.since)),
        one("until", **_time(filter_.until), hint=gettext("The day is included.")),
        one("exchange"),
        one("key"),
        one("acknowledged", choices=[("yes", gettext("yes")), ("no", gettext("no"))]),
        one("group", hint=gettext("the number of an error")),
        one("not", hint=gettext("as in type=users, state=acked")),
    ]


def unshown(base: QueryDict, shown: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
    """Give what an address says and no field of the form holds: it goes along with the form."""
    held = {("q", base.get("q", "")), *((one["name"], one["value"]) for one in shown)}
    pairs = [(name, str(value)) for name, values in base.lists() for value in values]
    return [pair for pair in pairs if pair not in held]


def _time(value: date | None) -> dict[str, str]:
    """Give the field of a day, or of a time where the address has one."""
    if isinstance(value, datetime):
        return {"value": value.isoformat(), "kind": "text"}
    return {"value": "" if value is None else value.isoformat(), "kind": "date"}
