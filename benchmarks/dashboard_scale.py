"""The dashboard's questions, asked of a large and of a small database in turn.

Both have the same kinds of messages over the same two years, one of them a hundred times as many.
``.../scale`` is the p95 of the large one over that of the small one. Both are warm: they are read into memory
once, as far as there is room, and the first rounds are not counted; a round asks other things than the one
before.
"""

from __future__ import annotations

import random
import statistics as st
import sys
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.dashboard_fill import END, INSTRUMENTS, PROPOSAL, SAMPLES, SPAN, fill
from pacer_dashboard.place import Place
from pacer_dashboard.start import migrate, prepare
from tests.services import PostgreSQL

SHARE = 100
TARGET = 2.0
_WARMING = 5

Question = Callable[[random.Random, int], object]


def questions() -> dict[str, Question]:
    """Give what is asked, by row; each with a number of its own, and how many messages there are."""
    from pacer_dashboard.query import EVERYTHING, Filter, Rule, Viewer, counting, life, listing, statistics

    def asked(viewer: Viewer, filter_: Filter, after: str | None = None) -> object:
        page = listing.page(viewer, filter_, after=after)
        return page, counting.estimate(viewer, filter_, page=page)

    def page(**said: Any) -> object:
        filter_ = Filter(**said)
        return asked(EVERYTHING, filter_)

    def older(chance: random.Random, count: int) -> object:
        time_ = END - SPAN * chance.random()
        cursor = str(listing.Cursor(time_, ""))
        return asked(EVERYTHING, Filter(), after=cursor)

    def message(chance: random.Random, count: int) -> object:
        from hashlib import md5
        from uuid import UUID

        number = chance.randrange(1, count + 1)
        id_ = str(UUID(md5(str(number).encode()).hexdigest()))
        found = life.life(EVERYTHING, id_)
        return life.payload(EVERYTHING, id_, found.sights[0].id)

    def role(chance: random.Random, _: int) -> object:
        rule = Rule(
            frozenset({"datasets-sync"}), {"instrument": frozenset({instrument(chance), instrument(chance)})}
        )
        viewer = Viewer("staff", (rule,))
        return asked(viewer, Filter())

    def days(chance: random.Random, _: int) -> object:
        day = (END - SPAN * chance.random()).date()
        return page(since=day, until=day)

    def year(chance: random.Random, _: int) -> object:
        since = END - timedelta(days=365 + chance.randrange(300))
        until = since + timedelta(days=365)
        filter_ = Filter(types=("datasets-sync",)) if chance.random() < 0.5 else Filter()
        return (
            statistics.table(EVERYTHING, filter_, since, until),
            statistics.series(EVERYTHING, filter_, since, until, by=statistics.By.TYPE),
        )

    def instrument(chance: random.Random) -> str:
        return f"BL{chance.randrange(INSTRUMENTS):02d}"

    def proposal(chance: random.Random, count: int) -> str:
        return f"HG-{chance.randrange(count // PROPOSAL + 1)}"

    def dataset(chance: random.Random, count: int) -> str:
        return f"scan_{chance.randrange(1, count + 1):08d}"

    def words(chance: random.Random, count: int) -> str:
        once = dataset(chance, count), proposal(chance, count).lower(), "nowhere"
        return chance.choice((*once, "refused", chance.choice(SAMPLES)))

    return {
        "list": older,
        "message": message,
        "filter-type": lambda c, n: page(types=(c.choice(("datasets-sync", "users-sync", "rare")),)),
        "filter-consumer": lambda c, n: page(consumers=(c.choice(("datasets", "users")),)),
        "filter-outcome": lambda c, n: page(states=(c.choice(("acked", "dead", "retried")),)),
        "filter-instrument": lambda c, n: page(instruments=(instrument(c),)),
        "filter-proposal": lambda c, n: page(proposals=(proposal(c, n),)),
        "filter-dataset": lambda c, n: page(datasets=(dataset(c, n),)),
        "filter-identifier": lambda c, n: page(
            identifiers=(("instrument", instrument(c)), ("proposal", proposal(c, n)))
        ),
        "filter-group": lambda c, n: page(group=c.randrange(1, 41)),
        "filter-time": days,
        "filter-exchange": lambda c, n: page(exchange=c.choice(("users-exchange", "rare-exchange"))),
        "filter-routing-key": lambda c, n: page(routing_key=c.choice(("users.sync", "rare.key"))),
        "filter-acknowledged": lambda c, n: page(acknowledged=True),
        "filter-role": role,
        "search": lambda c, n: page(text=words(c, n)),
        "search-instrument": lambda c, n: page(instruments=(instrument(c),), text=words(c, n)),
        "statistics": year,
    }


def scale(server: PostgreSQL, records: int, rounds: int, asked: Collection[str] = ()) -> dict[str, Any]:
    """Ask both databases all or some questions in turn; give by row the ratio of the p95s, and both."""
    from django.db import connections

    sides = {name: (_connected(server, count), count) for name, count in _sizes(records).items()}
    times: dict[tuple[str, str], list[float]] = {}
    rows = {row: questions()[row] for row in asked or questions()}
    for number in range(-_WARMING, rounds):
        for row, question in rows.items():
            for name, (connection, count) in sides.items():
                connections["default"] = connection
                chance = random.Random(f"{row} {number}")
                started = time.perf_counter()
                question(chance, count)
                if number >= 0:
                    times.setdefault((row, name), []).append(time.perf_counter() - started)
    for connection, _ in sides.values():
        connection.close()
    return {f"{row}/scale": _row(records, times[row, "small"], times[row, "large"]) for row in rows}


def read(folder: Path) -> None:
    """Read the files of databases that were kept, so that they are in memory as they are when filled."""
    started = time.monotonic()
    for file in (folder / "base").rglob("*"):
        if file.is_file():
            with file.open("rb", buffering=0) as opened:
                while opened.read(1 << 24):
                    pass
    print(f"read into memory in {time.monotonic() - started:.0f} s", file=sys.stderr)


def _sizes(records: int) -> dict[str, int]:
    """Give the messages of each database: one in nine has two records."""
    return {"small": records // SHARE * 9 // 10, "large": records * 9 // 10}


def _connected(server: PostgreSQL, messages: int) -> Any:
    """Give Django's connection to a database with so many messages, which is filled where it is not there."""
    from django.db import connections

    name = f"messages_{messages}"
    with closing(psycopg.connect(server.url(), autocommit=True)) as wire:
        there = wire.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone()
        if there is None:
            started = time.monotonic()
            wire.execute(b"DROP DATABASE IF EXISTS filling")
            wire.execute(b"CREATE DATABASE filling")
            prepare(Place(url=server.url("filling")))
            migrate()
            fill(server.url("filling"), messages)
            connections["default"].close()
            wire.execute(f"ALTER DATABASE filling RENAME TO {name}".encode())
            print(f"{messages} messages made in {time.monotonic() - started:.0f} s", file=sys.stderr)
    prepare(Place(url=server.url(name)))
    migrate()
    connection = connections["default"]
    del connections["default"]
    return connection


def _row(records: int, small: Sequence[float], large: Sequence[float]) -> dict[str, Any]:
    return {
        "records": records,
        "ratio": round(_p95(large) / _p95(small), 2),
        "target": TARGET,
        "at_most": True,
        "p95_ms": {"small": _ms(_p95(small)), "large": _ms(_p95(large))},
        "median_ms": {"small": _ms(st.median(small)), "large": _ms(st.median(large))},
    }


def _p95(times: Sequence[float]) -> float:
    return sorted(times)[int(0.95 * (len(times) - 1))]


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 1)
