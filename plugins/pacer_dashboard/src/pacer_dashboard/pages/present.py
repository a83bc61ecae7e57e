"""Rows of the query layer as lists show them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC
from functools import cached_property
from typing import Any

from attrs import define, frozen
from django.template.loader import get_template
from django.utils.translation import gettext, gettext_lazy

from pacer_dashboard.pages.links import message_url
from pacer_dashboard.pages.text import visible
from pacer_dashboard.query.rows import Row

_IDENTIFIERS, _CHARACTERS = 6, 60
_FIRST = ("instrument", "proposal", "investigation", "dataset")
"""Identifiers that come first and need no name beside them."""


@frozen
class Column:
    """A column of the list: ``number`` is set to the right."""

    name: str
    word: Any
    number: bool = False


COLUMNS = (
    Column("state", gettext_lazy("State")),
    Column("arrived", gettext_lazy("Arrived")),
    Column("type", gettext_lazy("Type")),
    Column("what", gettext_lazy("About")),
    Column("instrument", gettext_lazy("Instrument")),
    Column("proposal", gettext_lazy("Proposal")),
    Column("dataset", gettext_lazy("Dataset")),
    Column("stages", gettext_lazy("Stages")),
    Column("consumer", gettext_lazy("Consumer")),
    Column("route", gettext_lazy("Route")),
    Column("error", gettext_lazy("Error")),
    Column("sights", gettext_lazy("Attempts"), number=True),
    Column("took", gettext_lazy("Took"), number=True),
    Column("id", gettext_lazy("Correlation id")),
)
"""All that there are, in the order in which they stand."""
ALWAYS = "type"
"""The column that has the link; it cannot be put away."""
USUAL = ("state", "arrived", "type", "what", "stages", "error", "took")


@frozen
class Step:
    """A stage in short: its consumer, its latest outcome, and both as a sentence.

    ``seen`` is the class of its name: that of a stage after the first one is seen where it is not done.
    """

    name: str
    state: str
    said: str
    seen: str


@define(slots=False)
class ListRow:
    """A message as a row of a list: what `Row` has, and what is worked out for showing it."""

    row: Row

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)

    @property
    def url(self) -> str:
        """Its permalink."""
        return message_url(self.row.correlation_id)

    @property
    def order(self) -> str:
        """What sorts it, newest first, among those that a page shows."""
        return f"{self.row.arrived.astimezone(UTC):%Y%m%d%H%M%S%f} {self.row.correlation_id}"

    @property
    def took(self) -> float:
        """Seconds from its arrival to the end of its latest sight."""
        return (self.row.finished - self.row.arrived).total_seconds()

    @property
    def what(self) -> list[tuple[str, str, bool]]:
        """What it is about: identifiers, each value once, and whether its name is shown beside it."""
        identifiers = self.row.identifiers
        found: dict[str, str] = {}
        for key in (*_FIRST, *identifiers):
            if (value := identifiers.get(key)) and value not in found and len(found) < _IDENTIFIERS:
                found[value] = key
        return [
            (visible(key, 24), visible(value, _CHARACTERS), key not in _FIRST) for value, key in found.items()
        ]

    @property
    def steps(self) -> list[Step]:
        """Its stages, the first one first."""
        return [
            Step(
                name := visible(stage["consumer"], 40),
                stage["outcome"],
                f"{name}: {stage['outcome']}" + (f" ({stage['attempt']})" if stage["attempt"] > 1 else ""),
                "cut" if at == 0 or stage["outcome"] != "acked" else "unseen",
            )
            for at, stage in enumerate(self.row.stages)
        ]

    @cached_property
    def said(self) -> str:
        """What a checkbox of it is called."""
        return gettext("Choose {type} of {time}").format(
            type=visible(self.row.type, 40), time=f"{self.row.arrived:%H:%M:%S}"
        )


def shown(rows: Iterable[Row]) -> list[ListRow]:
    """Give rows as lists show them."""
    return [ListRow(row) for row in rows]


def chosen_columns(asked: Sequence[str]) -> tuple[Column, ...]:
    """Give the columns that somebody asked for, or the usual ones."""
    wanted = {*asked, ALWAYS} if asked else set(USUAL)
    return tuple(column for column in COLUMNS if column.name in wanted)


def draw_rows(rows: Iterable[Row], columns: Sequence[Column], *, may_act: bool) -> str:
    """Draw rows as the list has them, for those that come in while it is open."""
    names = [column.name for column in columns]
    return get_template("pacer_dashboard/rows.html").render(
        {"rows": shown(rows), "columns": names, "may_act": may_act}
    )
