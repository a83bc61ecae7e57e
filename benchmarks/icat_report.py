"""What a run of the ICAT benchmark found: the table, the page of the documentation, the JSON."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime

from attrs import evolve, field, frozen
from rich.console import Console
from rich.table import Table

from benchmarks.report import ROOT, hardware

PAGE = ROOT / "docs" / "reference" / "benchmarks-icat.md"
RESULTS = ROOT / "benchmarks" / "results" / "icat.json"


@frozen
class Row:
    """A figure and what it has to be."""

    name: str
    target: float
    what: str
    at_most: bool = False
    real: str | None = None
    """What it is on a real server, where that is something else; ``""`` where it is nothing."""
    real_target: float | None = None

    def on(self, *, sandbox: bool) -> Row | None:
        """Give the row as it is on a sandbox, which is told to be slow, or on a real server, which is not."""
        if sandbox or self.real is None:
            return self
        target = self.target if self.real_target is None else self.real_target
        return evolve(self, what=self.real, target=target) if self.real else None

    def reached(self, value: float) -> bool:
        """Tell whether the target is reached."""
        return value <= self.target if self.at_most else value >= self.target

    @property
    def wanted(self) -> str:
        """The target in words."""
        return f"{'at most' if self.at_most else 'at least'} {self.target:g}"


RATIOS = (
    Row("ingest1000/one-by-one", 20, "times as fast as python-icat, `new` and `create` for each object"),
    Row("ingest1000/createMany", 8, "times as fast as python-icat, `new` and `createMany`"),
    Row(
        "ingest1000/wire", 1.25,
        "our time against posting the ready-made envelope, at 500 ms for the create and 1 ms for a search",
        at_most=True,
        real="our time against posting the ready-made envelope, at the server's own pace",
    ),
    Row(
        "parallel8", 7.2, "8 threads on 8 investigations against one thread, at 50 ms a call",
        real="8 threads on 8 investigations: our rate against that of 8 connections posting envelopes",
        real_target=0.8,
    ),
)  # fmt: skip
FIGURES = (
    Row("cpu-per-datafile", 60, "microseconds of client CPU for each of the 1 000 datafiles", at_most=True),
    Row(
        "memory30000", 150, "MiB over idle, at the peak, that 30 000 datafiles cost", at_most=True,
    ),
    Row(
        "calls-per-small-dataset", 3,
        "calls to ICAT for each of 1 000 datasets with 4 datafiles and 10 parameters, caches warm",
        at_most=True,
    ),
    Row(
        "sandbox-per-object", 0.25,
        "milliseconds that the sandbox takes for each object of the envelope, HTTP included",
        at_most=True,
        real="",
    ),
    Row(
        "calls-per-links", 20,
        "calls to ICAT for the links of each of 1 000 datasets, half of them made from one other each",
        at_most=True,
    ),
    Row(
        "calls-per-statistics", 10,
        "calls to ICAT for the statistics of each of 1 000 datasets of one investigation, in a burst",
        at_most=True,
    ),
)  # fmt: skip
ROWS = (*RATIOS, *FIGURES)
NAMES = tuple(row.name for row in ROWS)


@frozen
class Report:
    """A run."""

    values: Mapping[str, float]
    """By row, the median over the repeats."""
    seconds: Mapping[str, float]
    """What the ways took."""
    repeats: int
    is_sandbox: bool
    python_icat: str
    when: datetime = field(factory=lambda: datetime.now(UTC))


def rows_of(report: Report) -> list[Row]:
    """Give the rows as they are judged where the report was made."""
    rows = [row.on(sandbox=report.is_sandbox) for row in ROWS]
    return [row for row in rows if row is not None]


def show(report: Report, console: Console) -> None:
    """Print the table."""
    table = Table("row", "value", "to reach", "", "what", title="Datasets into ICAT")
    for row in rows_of(report):
        value = report.values.get(row.name)
        if value is not None:
            mark, colour = ("reached", "green") if row.reached(value) else ("missed", "red")
            table.add_row(row.name, f"{value:.2f}", row.wanted, f"[{colour}]{mark}[/]", row.what)
    console.print(table)
    for name, seconds in report.seconds.items():
        console.print(f"{seconds * 1000:10.1f} ms  {name}")


def write(report: Report) -> None:
    """Write the page of the documentation and the JSON."""
    RESULTS.parent.mkdir(exist_ok=True)
    data = {
        "ratios": {row.name: round(report.values[row.name], 3) for row in RATIOS},
        "figures": {row.name: round(report.values[row.name], 3) for row in FIGURES},
        "targets": {row.name: row.wanted for row in ROWS},
        "seconds": {name: round(seconds, 4) for name, seconds in report.seconds.items()},
        "versions": _versions(report),
        "hardware": hardware(),
        "repeats": report.repeats,
        "when": report.when.isoformat(timespec="seconds"),
    }
    RESULTS.write_text(json.dumps(data, indent=2) + "\n")
    PAGE.write_text(_page(report))


_INTRODUCTION = """# Benchmarks: datasets into ICAT

<!-- Written by `nox -s bench`. -->

How fast `pacer-icat` stores datasets, beside python-icat and beside nothing but the HTTP request. One process
writes over HTTP to a sandbox in another one on the same machine. Ours is everything from the message's bytes
to the ack: parsing, checks, look-ups with warm caches, writing. The dataset of the first rows has 1 000
datafiles and 50 parameters. Each ratio is taken within a repeat, and the median over all repeats is given.

**The sandbox answers much faster than an ICAT on Java and MariaDB.** What a message costs on PACER's side
shows there best, and for the same reason the first two ratios are far higher than a facility will see:
python-icat's own time is most of what is compared. On a real ICAT 6.2, where storing costs the same whoever
asks, they were:

| row | on the sandbox | on a real ICAT 6.2 |
|---|---|---|
| `ingest1000/one-by-one` | {one_by_one:.0f} | 27 to 31 |
| `ingest1000/createMany` | {create_many:.0f} | 12 to 13 |

A real ICAT is measured with the same script: `benchmarks/icat.py --url URL --auth PLUGIN/USER:PASSWORD`. Its
account has to be one that may create a facility: one is made for the measurement, and deleted at the end.
Nothing there can be told to be slow: `ingest1000/wire` is measured at the server's own pace, and `parallel8`
is our rate with eight threads against that of eight connections that post ready-made envelopes.
"""


def _page(report: Report) -> str:
    values = report.values
    introduction = _INTRODUCTION.format(
        one_by_one=values["ingest1000/one-by-one"], create_many=values["ingest1000/createMany"]
    )
    parts = [introduction, "## Figures\n", "| row | value | to reach | | what |\n|---|---|---|---|---|"]
    for row in ROWS:
        value = report.values[row.name]
        mark = "reached" if row.reached(value) else "missed"
        parts.append(f"| `{row.name}` | {value:.2f} | {row.wanted} | {mark} | {row.what} |")
    parts.append("\n## Times\n\n| what | milliseconds |\n|---|---|")
    parts += [f"| {name} | {seconds * 1000:,.1f} |" for name, seconds in report.seconds.items()]
    parts.append("\n## Where\n")
    parts += [f"* {name}: {value}" for name, value in hardware().items()]
    parts.append("* " + ", ".join(f"{name} {value}" for name, value in _versions(report).items()))
    parts.append(f"* {report.repeats} repeats, {report.when:%Y-%m-%d}\n")
    return "\n".join(parts)


def _versions(report: Report) -> dict[str, str]:
    return {"Python": platform.python_version(), "python-icat": report.python_icat}
