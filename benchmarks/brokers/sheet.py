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


def write(suite: Suite, repeats: Sequence[Repeat], load: tuple[float, float]) -> None:
    """Put what a run of a suite found into the results; what others have found stays as it is.

    ``load`` is how many processes wanted a core before it began and when it had ended, its own among the
    latter: figures of a busy machine are worth less.
    """
    found: dict[str, dict[str, Any]] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for row in suite.rows:
        if (value := row.value(repeats)) is not None:
            found.setdefault("ratios", {})[row.name] = round(value, 3)
            found.setdefault("targets", {})[row.name] = row.wanted
    found.setdefault("medians", {}).update(
        {f"{suite.name}:{name}": round(median, 1) for name, median in medians(repeats).items()}
    )
    found.setdefault("runs", {})[suite.name] = {
        "repeats": len(repeats),
        "load-before": round(load[0], 1),
        "load-after": round(load[1], 1),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("pacer-core", *suite.versions)},
        },
    }
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")


def medians(repeats: Sequence[Repeat]) -> dict[str, float]:
    """Give the median of every contender."""
    names = sorted({name for one in repeats for name in one})
    return {name: statistics.median(one[name] for one in repeats if name in one) for name in names}
