"""For tests and demonstrations: a database of one's own, and messages of all kinds, of nobody who is real."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from pacer_dashboard.place import Place
from pacer_dashboard.records import Record, read

TYPES = (
    "user-sync",
    "proposal-sync",
    "investigation-ops",
    "dataset-ingestion",
    "internal-dataset-ingestion",
    "internal-dataset-links",
    "internal-statistics",
)
INSTRUMENTS = ("BL01", "BL04", "BL09", "BL13", "BL22")
START = datetime(2026, 9, 20, 6, tzinfo=UTC)
"""When the first message of `lives` arrives."""
EVERY = timedelta(minutes=7)
_Made = tuple[bytes, Record]
_REASONS = (
    ("store_dataset", "error", "ICAT: duplicate key 'dataset {dataset}' in investigation {proposal}"),
    ("store_dataset", "not-yet", "investigation {proposal} is not there yet"),
    ("mint_doi", "retry", "DataCite answered 503 after {number} ms"),
    ("store_user", "reject", "user {user}@example.org has no name"),
    ("parse", "reject", "the body does not fit"),
)


@contextmanager
def database(place: Place) -> Iterator[None]:
    """Point Django to a database, make its tables, and let go of it at the end."""
    from pacer_dashboard.start import migrate, prepare

    prepare(place)
    migrate()
    from django.db import connections

    try:
        yield
    finally:
        connections.close_all()


def sqlite(folder: Path) -> Place:
    """Give a place for SQLite's file."""
    return Place(folder=folder)


def fill(count: int = 200, *, seed: int = 1, start: datetime = START, people: bool = True) -> list[Record]:
    """Store the records of so many messages, and give them; some messages are acknowledged by ``operator``.

    The same arguments give the same messages.
    """
    from pacer_dashboard import store

    records = [*lives(count, seed=seed, start=start)]
    for begin in range(0, len(records), 500):
        store.store(records[begin : begin + 500])
    if people:
        dead = sorted({one.correlation_id for one in records if one.outcome == "dead"})
        store.acknowledge(dead[::4], by="operator", at=datetime.now(UTC), note="known: the disk was full")
    return records


def bodies(count: int, *, seed: int = 1, start: datetime = START, every: timedelta = EVERY) -> list[bytes]:
    """Give the same records as `lives`, as they come from a broker; ``every`` so often a message arrives."""
    return [body for body, _ in _made(count, seed, start, every)]


def lives(count: int, *, seed: int = 1, start: datetime = START) -> Iterator[Record]:
    """Give the records of so many messages, in the order in which they were made.

    There are messages that are done at once, that are retried and then done, that are dead, that are sent on
    to links and statistics, that were dead and sent again as another message; two in ten are told in
    ICAT-PACER's format, and the others in PACER's.
    """
    return (record for _, record in _made(count, seed, start, EVERY))


def _made(count: int, seed: int, start: datetime, every: timedelta) -> list[_Made]:
    chance = random.Random(seed)  # noqa: S311 - to be the same each time
    found: list[_Made] = []
    for number in range(count):
        arrived = start + every * (number + chance.random() * 5 / 7)
        found += _life(chance, number, arrived)
    return sorted(found, key=lambda one: (one[1].finished, one[1].id))


def _life(chance: random.Random, number: int, arrived: datetime) -> Iterable[_Made]:
    correlation_id = str(UUID(int=chance.getrandbits(128), version=4))
    type_ = chance.choice(TYPES[:4])
    proposal, instrument = f"HG-{chance.randrange(100, 130)}", chance.choice(INSTRUMENTS)
    identifiers = {
        "user-sync": {"user": f"person{chance.randrange(40)}"},
        "proposal-sync": {"investigation": proposal, "instrument": instrument},
        "investigation-ops": {"investigation": proposal, "operations": "mint-proposal"},
        "dataset-ingestion": {
            "investigation": proposal,
            "instrument": instrument,
            "dataset": f"scan_{number:05d}",
        },
    }[type_]
    payload = json.dumps(
        {**identifiers, "sample": chance.choice(("quartz", "lysozyme", "nickel")), "n": number}
    )
    if chance.random() < 0.2:
        yield _celery(chance, number, type_, identifiers, payload, arrived)
        return
    kind = chance.choices(("done", "retried", "dead", "waiting"), (70, 12, 14, 4))[0]
    said = {"correlation_id": correlation_id, "type": type_, "identifiers": identifiers, "payload": payload}
    failure = _failure(chance, {**identifiers, "proposal": proposal}) if kind != "done" else None
    attempts = {"done": 1, "dead": 3, "retried": 2, "waiting": 1}[kind]
    time = arrived
    for attempt in range(1, attempts + 1):
        last = attempt == attempts
        fails = failure is not None and not (last and kind == "retried")
        outcome = "acked" if not fails else "dead" if last and kind == "dead" else "retried"
        made = _record(
            chance,
            said,
            time,
            arrived,
            attempt,
            outcome,
            failure if fails else None,
            ("internal-dataset-links", "internal-statistics")
            if outcome == "acked" and type_ == "dataset-ingestion"
            else (),
        )
        yield made
        record = made[1]
        time = record.finished + timedelta(seconds=60 * attempt)
    for follow_up in record.follow_ups:
        yield _record(chance, {**said, "type": follow_up}, record.finished, record.finished, 1, "acked", None)
    if kind == "dead" and chance.random() < 0.5:
        again = {**said, "correlation_id": str(UUID(int=chance.getrandbits(128), version=4))}
        at = record.finished + timedelta(hours=2)
        yield _record(chance, {**again, "origin": correlation_id}, at, at, 1, "acked", None)


def _failure(chance: random.Random, words: dict[str, str]) -> dict[str, Any]:
    task, kind, reason = chance.choice(_REASONS)
    filled = {"dataset": "scan", "user": "somebody", **words, "number": str(chance.randrange(1000))}
    fields = [{"path": "sample.name", "message": "is missing"}] if task == "parse" else []
    return {"task": task, "kind": kind, "reason": reason.format(**filled), "fields": fields}


def _record(
    chance: random.Random,
    said: dict[str, Any],
    at: datetime,
    arrived: datetime,
    attempt: int,
    outcome: str,
    failure: dict[str, Any] | None,
    follow_ups: Sequence[str] = (),
) -> _Made:
    started = at + timedelta(seconds=chance.expovariate(2))
    seconds = chance.expovariate(3)
    task = "store" if failure is None else failure["task"]
    consumer = {"user-sync": "users", "dataset-ingestion": "datasets"}.get(said["type"], said["type"])
    record = {
        "format": "pacer.delivery/1",
        "id": str(UUID(int=chance.getrandbits(128), version=4)),
        "consumer": consumer,
        "queue": f"{consumer}-queue",
        "exchange": f"{consumer}-exchange",
        "routing_key": f"{consumer}.sync",
        "outcome": outcome,
        "attempt": attempt,
        "redelivered": chance.random() < 0.01,
        "first_seen": arrived.isoformat(),
        "started": started.isoformat(),
        "finished": (started + timedelta(seconds=seconds)).isoformat(),
        "timings": {task: seconds},
        "done": [task] if failure is None else [],
        "pending": [task] if outcome == "retried" else [],
        "rejected": {},
        "failures": [] if failure is None else [failure],
        "follow_ups": list(follow_ups),
        "payload_size": len(said["payload"].encode()),
        "content_type": "application/json",
        **said,
    }
    body = json.dumps(record).encode()
    return body, read(body)


def _celery(
    chance: random.Random, number: int, type_: str, identifiers: dict[str, str], payload: str, at: datetime
) -> _Made:
    failed = chance.random() < 0.2
    record = {
        "object_identifiers": identifiers,
        "error_message": {"store": f"connection {number} was refused"} if failed else {},
        "processing_start": at.replace(tzinfo=None).isoformat(),
        "processing_end": (at + timedelta(seconds=chance.expovariate(3))).replace(tzinfo=None).isoformat(),
        "hash": f"{chance.getrandbits(64):016x}",
        "message_type": type_,
        "payload_format": "",
        "payload": payload,
        "errored": failed,
        "exchange_name": f"{type_}-exchange",
        "routing_key": type_.replace("-", "."),
    }
    message = {
        "id": str(UUID(int=chance.getrandbits(128), version=4)),
        "task": "dashboard.tasks.log_pacer_message",
        "args": [],
        "kwargs": record,
        "retries": 0,
    }
    body = json.dumps(message).encode()
    return body, read(body)
