"""What was seen in queues of letters, counted."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from attrs import define, field
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pacer_core.cli.console import line, print_table
from pacer_core.model.wording import counted
from pacer_core.transport.letters import DeadLetter

_VARIES = re.compile(r"'[^']*'|\"[^\"]*\"|\d+")
_MOST_CAUSES = 1000
_LONGEST_CAUSE = 1000  # characters: PACER writes no more
_SHOWN_CAUSES = 10


@define
class Tally:
    """What was seen in queues: how many, of whom, and why; as large as the causes are many, not more."""

    looked: int = 0
    matching: int = 0
    queues: Counter[str] = field(factory=Counter)
    """By the queue they lie in, those that match."""
    targets: Counter[str] = field(factory=Counter)
    """By the work queue they came from, those that match."""
    elsewhere: Counter[str] = field(factory=Counter)
    """By work queue, those that are no business of this configuration."""
    consumers: set[str] = field(factory=set)
    """Whose letters were seen, whether they match or not."""
    causes: Counter[tuple[str, str]] = field(factory=Counter)
    """By consumer and error, with what varies in it left out."""

    def see(self, letter: DeadLetter) -> None:
        """Count one that is this configuration's, whether it matches or not."""
        self.looked += 1
        if len(self.consumers) < _MOST_CAUSES:
            self.consumers.add(letter.consumer)

    def see_elsewhere(self, letter: DeadLetter) -> None:
        """Count one that is no business of this configuration."""
        queue = letter.envelope.queue
        known = queue in self.elsewhere or len(self.elsewhere) < _MOST_CAUSES
        self.elsewhere[queue if known else "others"] += 1

    def add(self, letter: DeadLetter) -> None:
        """Count one that matches."""
        self.matching += 1
        self.queues[letter.queue] += 1
        if not letter.doubt:
            self.targets[letter.envelope.queue] += 1
        cause = letter.consumer, _VARIES.sub("…", line(letter.error)[:_LONGEST_CAUSE])
        if cause not in self.causes and len(self.causes) >= _MOST_CAUSES:
            cause = "", "other errors"
        self.causes[cause] += 1

    def as_json(self) -> dict[str, Any]:
        """Give the counts as plain data."""
        return {
            "looked": self.looked,
            "matching": self.matching,
            "queues": dict(self.queues),
            "causes": [
                {"consumer": consumer, "error": error, "count": count}
                for (consumer, error), count in self.causes.most_common()
            ],
        }

    def show(self, console: Console, headline: str) -> None:
        """Print how many there are, and why."""
        console.print(Text(line(headline), style="bold"))
        self.show_causes(console)

    def show_causes(self, console: Console) -> None:
        """Print how many there are of each consumer and cause."""
        grid = Table.grid(padding=(0, 2))
        grid.add_column(justify="right")
        for (consumer, error), count in self.causes.most_common(_SHOWN_CAUSES):
            grid.add_row(f"  {count:,}", Text(line(consumer) or "-"), Text(error))
        rest = len(self.causes) - _SHOWN_CAUSES
        if rest > 0:
            grid.add_row("", "", f"and {counted(rest, 'other cause')}")
        print_table(console, grid)
