"""What runs of the benchmarks about Kafka and SciCat found: the JSON of both, and their page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from benchmarks.report import ROOT, hardware

RESULTS = ROOT / "benchmarks" / "results" / "scicat.json"
PAGE = ROOT / "docs" / "reference" / "benchmarks-scicat.md"
WHAT = {
    "kafka/bare": "times the rate of a bare loop that decodes and publishes the same messages, with confirms",
    "kafka/batches": "times the rate of a loop by py-amqp that waits for the confirms of each batch",
    "kafka/held-back": "milliseconds that a message was held back at most, one by one, from Kafka to a queue",
    "kafka/memory": "times the memory of the service after 10 000 messages that it has after 100 000",
    "ingest8/ceiling": "times the rate of 8 bare threads that send the same two requests, at 20 ms a request",
    "ingest2x4/ceiling": "the same, with 2 workers of 4 threads",
    "ingest/process-per-file": "times the rate of one process for each file, 8 at once, with the same code",
}
_HEAD = """\
# Benchmarks: files into SciCat

<!-- Written by `nox -s bench`. -->

How fast what Kafka says comes into a queue, and files into SciCat. Kafka and RabbitMQ are real ones on the
same machine. SciCat is the stand-in, in a process of its own there, told to take 20 ms for a request or none;
it is Python, and takes half a millisecond of a core for a request beside that, whoever asks. Each ratio is
taken within a repeat, and the median over all repeats is given.

## Figures

| row | value | to reach | | what |
|---|---|---|---|---|
"""


def write(name: str, taken: Mapping[str, Any]) -> None:
    """Put a run's figures beside those of the other rows, and write the page of both.

    ``taken`` has ``rows`` (each with ``found``, and ``at least`` or ``at most``), ``measured``: what they are
    made of, ``repeats`` and ``versions``.
    """
    held = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    where = {"hardware": hardware(), "date": datetime.now(UTC).date().isoformat()}
    held[name] = {**taken, **where}
    RESULTS.write_text(json.dumps(held, indent=1) + "\n")
    PAGE.write_text("\n".join([_HEAD + "\n".join(_figures(held)), *_measured(held), *_where(held)]) + "\n")


def _figures(held: Mapping[str, Any]) -> Iterator[str]:
    rows = {name: row for one in held.values() for name, row in one["rows"].items()}
    for name in (one for one in WHAT if one in rows):
        row = rows[name]
        least = "at least" in row
        wanted = row["at least" if least else "at most"]
        reached = row["found"] >= wanted if least else row["found"] <= wanted
        said = "reached" if reached else "not reached"
        bound = f"{'at least' if least else 'at most'} {wanted:g}"
        yield f"| `{name}` | {row['found']:.2f} | {bound} | {said} | {WHAT[name]} |"


def _measured(held: Mapping[str, Any]) -> Iterator[str]:
    yield "\n## Measured\n\n| what | |\n|---|---|"
    for one in held.values():
        for what, found in one["measured"].items():
            yield f"| {what} | {_shown(found)} |"


def _shown(found: Any) -> str:
    if isinstance(found, Mapping):
        return ", ".join(f"{name} {value}" for name, value in found.items())
    return "; ".join(f"{ours} and {theirs}" for ours, theirs in found)


def _where(held: Mapping[str, Any]) -> Iterator[str]:
    yield "\n## Where\n"
    for name, one in held.items():
        machine = ", ".join(f"{what} {value}" for what, value in one["hardware"].items())
        versions = ", ".join(f"{what} {value}" for what, value in one["versions"].items())
        yield f"* {name}: {machine}; {versions}; {one['repeats']} repeats, {one['date']}"
