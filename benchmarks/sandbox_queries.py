"""How long searches take in pacer_sandbox, without HTTP.

    python benchmarks/sandbox_queries.py

Fills a catalogue in memory with 10 000 datafiles and prints the best of five runs of each search.
"""

import time
from collections.abc import Callable
from zoneinfo import ZoneInfo

from pacer_sandbox.query import search
from pacer_sandbox.rules import Authoriser, check_rule
from pacer_sandbox.schema import Schema
from pacer_sandbox.store import Store

FILES = 10_000
RULES = 160
ZONE = ZoneInfo("Europe/Berlin")
SEARCHES = [
    "SELECT f.name, f.fileSize FROM Datafile f",
    "SELECT f.name, f.fileSize FROM Datafile f ORDER BY f.name",
    "SELECT f FROM Datafile f",
    "SELECT f FROM Datafile f WHERE f.name LIKE '%7.h5'",
    "SELECT f FROM Datafile f INCLUDE f.dataset LIMIT 0, 5000",
    "SELECT COUNT(f) FROM Datafile f WHERE f.dataset.investigation.name = 'i'",
    "SELECT f FROM Datafile f WHERE f.dataset.name = 'd' AND f.name = 'file00042.h5'",
]


def main() -> None:
    """Print one line per search."""
    store = filled()
    schema = store.schema

    def ask(text: str, user: str) -> Callable[[], object]:
        def run() -> object:
            rights = Authoriser(schema, store.connection, user, {"simple/root"}, ZONE)
            return search(text, store.connection, schema, access=rights, zone=ZONE)

        return run

    started = time.perf_counter()
    ask("SELECT f FROM Facility f", "simple/root")()
    print(f"{(time.perf_counter() - started) * 1000:9.2f} ms  the first search: the grammar is made")
    for text in SEARCHES:
        print(f"{best(ask(text, 'simple/root')) * 1000:9.2f} ms  {text}")
    texts = iter(range(10**6))
    fresh = best(lambda: ask(f"SELECT f FROM Facility f WHERE f.name = '{next(texts)}'", "simple/root")())
    print(f"{fresh * 1000:9.2f} ms  a search by key with a text not seen before")
    for number in range(RULES):
        what = f"SELECT f FROM Facility f WHERE f.name = 'rule {number}'"
        add(store, "Rule", crudFlags=check_rule({"crudFlags": "R", "what": what}, schema), what=what)
    print(f"{best(ask(SEARCHES[-1], 'db/jdoe')) * 1000:9.2f} ms  the last for a user with {RULES} rules")


def filled() -> Store:
    """Return a catalogue with one investigation and its dataset of many files."""
    store = Store(Schema.load())
    facility = add(store, "Facility", name="f")
    kind = add(store, "InvestigationType", name="t", facility=facility)
    raw = add(store, "DatasetType", name="raw", facility=facility)
    parent = add(store, "Investigation", name="i", visitId="1", title="t", facility=facility, type=kind)
    dataset = add(store, "Dataset", name="d", investigation=parent, type=raw, complete=0)
    with store.transaction():
        for number in range(FILES):
            add(store, "Datafile", name=f"file{number:05}.h5", dataset=dataset, fileSize=number)
    return store


def add(store: Store, entity: str, **values: object) -> int:
    """Insert one object and return its id."""
    id_ = store.new_id()
    row = {"id": id_, "createId": "b", "createTime": 0, "modId": "b", "modTime": 0, **values}
    names = ", ".join(f'"{name}"' for name in row)
    store.connection.execute(
        f'INSERT INTO "{entity}" ({names}) VALUES ({", ".join("?" * len(row))})', tuple(row.values())
    )
    return id_


def best(run: Callable[[], object]) -> float:
    """Return the seconds of the fastest of five runs."""
    times = []
    for _ in range(5):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times)


if __name__ == "__main__":
    main()
