"""What a module of this folder offers: a suite, its contenders, and the rows that compare them."""

from __future__ import annotations

import json
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from attrs import frozen

RESULTS = Path(__file__).parents[1] / "results" / "brokers.json"

Repeat = Mapping[str, float]
"""What every contender gave in one repeat, by its name: messages a second, or seconds."""


@frozen
class Row:
    """A ratio (or a figure, without ``theirs``) and what it is to reach; the median over the repeats."""

    name: str
    target: float
    ours: str
    theirs: str | None = None
    at_most: bool = False

    def value(self, repeats: Sequence[Repeat]) -> float | None:
        """Give the median of the ratios within each repeat; None where it was not measured."""
        found = [
            one[self.ours] / (one[self.theirs] if self.theirs else 1)
            for one in repeats
            if self.ours in one and (self.theirs is None or self.theirs in one)
        ]
        return statistics.median(found) if found else None

    @property
    def wanted(self) -> str:
        """The target in words."""
        return f"{'at most' if self.at_most else 'at least'} {self.target:g}"


@frozen
class Suite:
    """Rows on servers of one kind.

    Attributes
    ----------
    open
        Starts the servers, and gives each contender as a function that measures once; called with a factor
        for the number of messages.
    rows
        What is compared.
    versions
        Further packages whose versions matter.
    """

    name: str
    open: Callable[[float], AbstractContextManager[Mapping[str, Callable[[], float]]]]
    rows: Sequence[Row]
    versions: Sequence[str] = ()


def record(suite: Suite, repeats: Sequence[Repeat], servers: Mapping[str, str]) -> dict[str, Any]:
    """Give what a run of a suite found, as it stands in the results."""
    names = sorted({name for one in repeats for name in one})
    return {
        "rows": {
            row.name: {"value": round(value, 3), "target": row.wanted}
            for row in suite.rows
            if (value := row.value(repeats)) is not None
        },
        "medians": {
            name: round(statistics.median(one[name] for one in repeats if name in one), 1) for name in names
        },
        "repeats": len(repeats),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"python": platform.python_version(), "processor": platform.machine()},
        "versions": {**servers, **{name: version(name) for name in ("pacer-core", *suite.versions)}},
    }


def write(found: Mapping[str, Mapping[str, Any]]) -> None:
    """Put the suites that ran into the results; the others stay as they are."""
    there = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps({**there, **found}, indent=2, sort_keys=True) + "\n")
