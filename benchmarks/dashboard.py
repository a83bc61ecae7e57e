"""The dashboard's questions and its writer, on PostgreSQL.

    python -m benchmarks.dashboard [--quick] [--rounds N] [--json FILE] [--only scale|store]
        [--keep FOLDER] [--questions NAME,...]

``.../scale``: each question of 5 million records against 50 thousand, as `benchmarks.dashboard_scale` has it.
With ``--keep``, the databases are filled in the first run and stay for the next one.

``store/...``: the writer, as `benchmarks.dashboard_store` has it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.dashboard_scale import read, scale
from benchmarks.dashboard_store import storing
from benchmarks.report import hardware
from tests.services import PostgreSQL, RabbitMQ

os.environ.setdefault("SECRET_KEY", "for-benchmarks-alone")

RECORDS = 5_000_000


def parts(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Measure what is asked for."""
    settings: dict[str, str | int] = {
        "shared_buffers": "1GB",
        "max_wal_size": "8GB",
        "work_mem": "16MB",
        "random_page_cost": "1.1",
        "checkpoint_timeout": "30min",
        "max_connections": 30,
    }
    with ExitStack() as stack:
        if arguments.only in (None, "scale"):
            filling = settings | {"autovacuum": "off", "wal_level": "minimal", "max_wal_senders": 0}
            server = PostgreSQL(config=filling, data=arguments.keep)
            stack.enter_context(server)
            stack.callback(server.stop)
            if arguments.keep:
                read(arguments.keep)
            records = 100_000 if arguments.quick else arguments.records
            yield scale(server, records, arguments.rounds, arguments.questions)
        if arguments.only in (None, "store"):
            durable = stack.enter_context(PostgreSQL(config={**settings, "fsync": "on"}))
            broker = stack.enter_context(RabbitMQ())
            yield storing(durable, broker, 2000 if arguments.quick else 20_000, 1 if arguments.quick else 7)


def main() -> None:
    """Measure, and print or write the rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small databases: whether it runs, not how fast")
    parser.add_argument("--records", type=int, default=RECORDS, help="of the large database")
    parser.add_argument("--rounds", type=int, default=60, help="how often each question is asked")
    parser.add_argument("--only", choices=("scale", "store"))
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where the databases of scale stay")
    parser.add_argument("--questions", type=lambda text: text.split(","), default=(), metavar="NAME,...")
    parser.add_argument("--json", type=Path, help="where to write the rows; those of others in it stay")
    arguments = parser.parse_args()
    rows: dict[str, Any] = {}
    for part in parts(arguments):
        rows |= part
    for name, row in rows.items():
        asked = f"{'at most' if row['at_most'] else 'at least'} {row['target']}" if row["target"] else ""
        print(f"{name:28} {row['ratio']:8.2f}  {asked}")
    if arguments.json:
        before = json.loads(arguments.json.read_text()) if arguments.json.exists() else {"rows": {}}
        before["rows"] |= rows
        before |= {
            "hardware": hardware(),
            "python": platform.python_version(),
            "load": round(os.getloadavg()[0], 1),
        }
        arguments.json.write_text(json.dumps(before, indent=1) + "\n")


if __name__ == "__main__":
    main()
