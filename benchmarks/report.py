"""What a run of the benchmarks found: the table, the page of the documentation, the JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from attrs import field, frozen
from rich.console import Console
from rich.table import Table

from benchmarks.rows import CORES, MEMORY_ROWS, ROWS, Repeat

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "reference" / "benchmarks.md"
RESULTS = ROOT / "benchmarks" / "results" / "consume.json"
_PACKAGES = (
    "pacer-core", "kombu", "amqp", "celery", "dramatiq", "pika", "faststream", "aio-pika", "orjson", "lxml",
)  # fmt: skip


@frozen
class Line:
    """One row with what was measured."""

    name: str
    ratio: float
    target: float
    at_most: bool
    what: str

    @property
    def reached(self) -> bool:
        """Whether the target is reached."""
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target

    @property
    def wanted(self) -> str:
        """The target in words."""
        return f"{'at most' if self.at_most else 'at least'} {self.target:g}"


@frozen
class Report:
    """A whole run."""

    lines: Sequence[Line]
    medians: Mapping[str, float]
    """By consumer, messages a second; with ``cpu:`` before the name, microseconds of CPU per message."""
    left_out: Mapping[str, str]
    """Rows that were not measured, and why."""
    versions: Mapping[str, str]
    hardware: Mapping[str, Any]
    repeats: int
    when: datetime = field(factory=lambda: datetime.now(UTC))


def summarise(
    repeats: Sequence[Repeat],
    wanted: Sequence[str],
    left_out: Mapping[str, str],
    memory: Mapping[str, float] | None,
    broker: str,
) -> Report:
    """Put the results of all repeats together."""
    lines: list[Line] = []
    for row in ROWS:
        ratio = row.ratio(repeats) if row.name in wanted else None
        if ratio is not None:
            lines.append(Line(row.name, ratio, row.target, row.at_most, row.what))
    medians: dict[str, float] = {}
    for name in sorted({name for repeat in repeats for name in repeat}):
        results = [repeat[name] for repeat in repeats if name in repeat]
        medians[name] = round(statistics.median(one.rate for one in results), 1)
        cpus = [one.cpu for one in results if one.cpu is not None]
        if cpus:
            medians[f"cpu:{name}"] = round(statistics.median(cpus), 1)
    if memory is not None:
        ratios = (memory["many"] / memory["few"], memory["mib"] / (6 + 20))
        for (name, (target, what)), ratio in zip(MEMORY_ROWS.items(), ratios, strict=True):
            lines.append(Line(name, ratio, target, True, what))
        medians |= {f"MiB:{name}": round(value, 1) for name, value in memory.items()}
    return Report(lines, medians, left_out, _versions(broker), hardware(), len(repeats))


def show(report: Report, console: Console) -> None:
    """Print the table."""
    table = Table("row", "ratio", "to reach", "", "what", title="PACER beside others")
    for line in report.lines:
        mark, colour = ("reached", "green") if line.reached else ("missed", "red")
        table.add_row(line.name, f"{line.ratio:.2f}", line.wanted, f"[{colour}]{mark}[/]", line.what)
    console.print(table)
    medians = Table("consumer", "messages/s", "CPU us/message", title="Medians")
    for name, value in report.medians.items():
        if ":" not in name:
            cpu = report.medians.get(f"cpu:{name}")
            medians.add_row(name, f"{value:,.0f}", "" if cpu is None else f"{cpu:.0f}")
    console.print(medians)
    for name, why in report.left_out.items():
        console.print(f"left out: {name}: {why}", markup=False, soft_wrap=True)


def write(report: Report) -> None:
    """Write the page of the documentation and the JSON."""
    RESULTS.parent.mkdir(exist_ok=True)
    data = {
        "ratios": {line.name: round(line.ratio, 3) for line in report.lines},
        "targets": {line.name: line.wanted for line in report.lines},
        "medians": dict(report.medians),
        "left_out": dict(report.left_out),
        "versions": dict(report.versions),
        "hardware": dict(report.hardware),
        "repeats": report.repeats,
        "when": report.when.isoformat(timespec="seconds"),
    }
    RESULTS.write_text(json.dumps(data, indent=2) + "\n")
    PAGE.write_text(_page(report))


_INTRODUCTION = """# Benchmarks

<!-- Written by `nox -s bench`. -->

How fast PACER consumes, beside other consumers on the same RabbitMQ, in one interleaved run on one machine.
Each ratio is taken within a repeat, and its median over all repeats is given: compare ratios across
machines, and rates only within this page.

Every consumer runs in a process of its own and reads a queue that was filled before with persistent messages
of about 1 KiB of JSON (a dataset with four files; about 2 KiB as XML). Queues are durable quorum queues;
dramatiq declares classic ones only. All acknowledge by hand, with a prefetch of 50 for the no-op task
(celery: 4, its multiplier for one process), of 64 for the task that waits 5 ms, of 256 with keys,
and of 200 for forwarding. A rate
is counted between the first message after a warm-up and the last, in the process that handles them; for
forwarding, by how fast the target queue grows. CPU is that of the whole process that handles the messages.
PACER runs as `pacer run` with the core's parsers and every distribution of this repository installed; its
body is parsed and structured into an attrs class, where the others decode JSON and bare kombu nothing.
"""


def _page(report: Report) -> str:
    parts = [_INTRODUCTION, "## Ratios\n", "| row | ratio | to reach | | what |\n|---|---|---|---|---|"]
    for line in report.lines:
        mark = "reached" if line.reached else "missed"
        parts.append(f"| `{line.name}` | {line.ratio:.2f} | {line.wanted} | {mark} | {line.what} |")
    parts.append("\n## Medians\n\n| consumer | messages a second | CPU in us per message |\n|---|---|---|")
    for name, value in report.medians.items():
        if ":" not in name:
            cpu = report.medians.get(f"cpu:{name}")
            parts.append(f"| {name} | {value:,.0f} | {'' if cpu is None else f'{cpu:.0f}'} |")
    if "MiB:few" in report.medians:
        few, many, mib = (report.medians[f"MiB:{name}"] for name in ("few", "many", "mib"))
        parts.append(
            f"\nResident size of a worker: {few:.0f} MiB after 10 000 messages, {many:.0f} MiB after "
            f"100 000; a message of 1 MiB costs {mib:.1f} MiB at its peak."
        )
    if report.left_out:
        parts.append("\n## Left out\n")
        parts += [f"* `{name}`: {' '.join(why.split())}" for name, why in report.left_out.items()]
    parts.append("\n## Where\n")
    parts += [f"* {name}: {value}" for name, value in report.hardware.items()]
    parts.append("* " + ", ".join(f"{name} {value}" for name, value in report.versions.items()))
    parts.append(f"* {report.repeats} repeats, {report.when:%Y-%m-%d}\n")
    return "\n".join(parts)


def _versions(broker: str) -> dict[str, str]:
    return {
        "RabbitMQ": broker,
        "Python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
    }


def hardware() -> dict[str, Any]:
    """Give what the machine is and has to do."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": CORES,
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "load before": round(os.getloadavg()[0], 1),
    }
