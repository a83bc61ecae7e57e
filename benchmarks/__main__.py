"""``python -m benchmarks [--quick] [ROW...]``: measure, print, and after a whole run write the results."""

from __future__ import annotations

import argparse
import os
import sys

from rich.console import Console
from rich.progress import Progress

from benchmarks import icat_bench, icat_report, kafka, report, scicat, scicat_report
from benchmarks.broker import Harness
from benchmarks.contest import CONTESTANTS
from benchmarks.report import Report
from benchmarks.rows import CORES, MEMORY, NAMES, ROWS
from benchmarks.run import Bench, NotMeasuredError, Result
from tests.services import RabbitMQ

ALL = (*NAMES, *icat_report.NAMES, *kafka.NAMES, *scicat.NAMES)
REPEATS, QUICK_REPEATS, QUICK_FACTOR = 3, 2, 0.25


def main(arguments: list[str]) -> int:
    """Measure; the exit code says nothing about the figures."""
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of these: {', '.join(ALL)}")
    parser.add_argument("--quick", action="store_true", help="fewer repeats and messages")
    given = parser.parse_args(arguments)
    if unknown := set(given.rows) - set(ALL):
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are: {', '.join(ALL)}")
    console = Console(highlight=False, width=None if os.isatty(1) else 140)
    whole = not given.quick and not given.rows
    wanted = given.rows or list(ALL)
    if consuming := [name for name in wanted if name in NAMES]:
        found = measure(consuming, quick=given.quick, console=console)
        report.show(found, console)
        if whole:
            report.write(found)
            console.print(f"written: {report.PAGE} and {report.RESULTS}", soft_wrap=True)
    if storing := [name for name in wanted if name in icat_report.NAMES]:
        stored = icat_bench.run(storing, quick=given.quick, console=console)
        icat_report.show(stored, console)
        if whole:
            icat_report.write(stored)
            console.print(f"written: {icat_report.PAGE} and {icat_report.RESULTS}", soft_wrap=True)
    if set(wanted) & set(kafka.NAMES):  # they share their servers, and are measured together
        taken = kafka.run(quick=given.quick)
        kafka.show(taken, console)
        if whole:
            kafka.write(taken)
            console.print(f"written: {scicat_report.PAGE} and {scicat_report.RESULTS}", soft_wrap=True)
    if ingesting := [name for name in wanted if name in scicat.NAMES]:
        brought = scicat.run(ingesting, quick=given.quick)
        scicat.show(brought, console)
        if whole:
            scicat.write(brought)
            console.print(f"written: {scicat_report.PAGE} and {scicat_report.RESULTS}", soft_wrap=True)
    if not whole:
        console.print("nothing written: only a whole run is")
    return 0


def measure(wanted: list[str], *, quick: bool, console: Console) -> Report:
    """Run every consumer that the rows need, in turn, as often as there are repeats."""
    rows = [row for row in ROWS if row.name in wanted]
    left_out = {
        row.name: f"needs {row.cores} cores, and this machine has {CORES}"
        for row in rows
        if row.cores > CORES
    }
    names = list(
        dict.fromkeys(name for row in rows if row.name not in left_out for name in (*row.needs, *row.also))
    )
    factor, count = (QUICK_FACTOR, QUICK_REPEATS) if quick else (1.0, REPEATS)
    repeats: list[dict[str, Result]] = [{} for _ in range(count)]
    failed: dict[str, str] = {}
    memory = None
    with RabbitMQ() as node, Progress(console=console, transient=True) as progress:
        harness = Harness(node.port)
        broker = harness.version()
        harness.close()
        bench = Bench(node.port, node.new_vhost())
        steps = progress.add_task("", total=len(names) * count + (MEMORY in wanted))
        for number, repeat in enumerate(repeats):
            turn = number % len(names) if names else 0  # nobody always comes first
            for name in names[turn:] + names[:turn]:
                progress.update(steps, description=f"{name}, {number + 1} of {count}")
                if name not in failed:
                    try:
                        repeat[name] = bench.measure(CONTESTANTS[name].scaled(factor))
                    except NotMeasuredError as error:
                        failed[name] = str(error)
                progress.advance(steps)
        if MEMORY in wanted:
            progress.update(steps, description=MEMORY)
            try:
                memory = bench.memory(factor)
            except NotMeasuredError as error:
                left_out[MEMORY] = str(error)
    for row in rows:
        if row.ratio(repeats) is None and row.name not in left_out:
            missing = [name for name in (*row.needs, *row.also) if name in failed]
            left_out[row.name] = "; ".join(f"{name} {failed[name]}" for name in missing)
    return report.summarise(repeats, wanted, left_out, memory, broker)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
