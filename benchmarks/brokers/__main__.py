"""``python -m benchmarks.brokers [--quick] [SUITE...]``: measure, print, and write the results.

The contenders of a suite take turns within each repeat. A module of this folder with a `SUITE` is one.
"""

from __future__ import annotations

import argparse
import os
import pkgutil
from importlib import import_module

from benchmarks import brokers
from benchmarks.brokers.sheet import RESULTS, Suite, medians, write
from benchmarks.run import NotMeasuredError

REPEATS, QUICK_REPEATS, QUICK_FACTOR = 3, 2, 0.25


def suites() -> dict[str, Suite]:
    """Give what the modules of this folder offer, by name."""
    modules = (
        import_module(f"{brokers.__name__}.{one.name}") for one in pkgutil.iter_modules(brokers.__path__)
    )
    found = (getattr(module, "SUITE", None) for module in modules if not module.__name__.endswith("__main__"))
    return {suite.name: suite for suite in found if suite is not None}


def main() -> None:
    """Measure; the exit code says nothing about the figures."""
    known = suites()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.brokers", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of these: {', '.join(known)}")
    parser.add_argument("--quick", action="store_true", help="fewer repeats and messages; writes nothing")
    given = parser.parse_args()
    if unknown := set(given.suites) - set(known):
        parser.error(f"no such suite: {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    for name in given.suites or known:
        before, _, _ = os.getloadavg()
        repeats = measure(known[name], quick=given.quick)
        for row in known[name].rows:
            if (value := row.value(repeats)) is not None:
                print(f"{row.name:28}{value:10.2f}   {row.wanted}")
        for contender, median in medians(repeats).items():
            print(f"  {contender:26}{median:10.1f}")
        if not given.quick:
            write(known[name], repeats, (before, os.getloadavg()[0]))
            print(f"written: {RESULTS}")


def measure(suite: Suite, *, quick: bool) -> list[dict[str, float]]:
    """Run the contenders in turn, as often as there are repeats."""
    repeats: list[dict[str, float]] = []
    with suite.open(QUICK_FACTOR if quick else 1.0) as contenders:
        for _ in range(QUICK_REPEATS if quick else REPEATS):
            repeats.append({})
            for name, run in contenders.items():
                try:
                    repeats[-1][name] = run()
                except NotMeasuredError as error:
                    print(f"{name}: not measured: {error}")
    return repeats


if __name__ == "__main__":
    main()
