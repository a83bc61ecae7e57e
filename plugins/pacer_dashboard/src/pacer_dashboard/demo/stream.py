"""The messages of the demo: most are good, and some wrong in the ways there are. Nobody is real."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import frozen

INVESTIGATIONS = ("20250330096", "20250340039")
INSTRUMENT = "bl06"
SAMPLES = ("lysozyme", "quartz", "nickel-foam", "membrane-7", "zeolite")
TECHNIQUES = ("diffraction", "tomography", "xanes", "saxs")
PEOPLE = (
    ("Ada", "Example"), ("Béla", "Példa"), ("Chloé", "Modèle"), ("Dario", "Esempio"),
    ("Elin", "Förlaga"), ("Farid", "Mithal"),
)  # fmt: skip


@frozen
class Sent:
    """A message of the demo: for which consumer, its body, and what it is, in words."""

    to: str
    body: bytes
    content_type: str
    about: str


def stream(seed: int = 1) -> Iterator[Sent]:
    """Give messages without end; the same seed gives the same ones, but for their times."""
    chance = random.Random(seed)  # noqa: S311 - to be the same each time
    number = 0
    while True:
        number += 1
        make = chance.choices(
            (_dataset, _person, _visit, _unknown_visit, _unnamed, _cut_off, _unknown_instrument),
            (70, 8, 6, 4, 5, 3, 4),
        )[0]
        yield make(chance, number)


def wrong(seed: int = 1) -> Iterator[Sent]:
    """Give a handful of messages that end in dead queues: wrong in themselves, or of what ICAT never has."""
    chance = random.Random(seed)  # noqa: S311 - to be the same each time
    kinds = (
        _unnamed,
        _unknown_visit,
        _cut_off,
        _unknown_visit,
        _unknown_instrument,
        _unknown_visit,
        _unnamed,
    )
    return (make(chance, number) for number, make in enumerate(kinds, 1))


def _dataset(chance: random.Random, number: int, **changes: Any) -> Sent:
    end = datetime.now(UTC)
    sample, technique = chance.choice(SAMPLES), chance.choice(TECHNIQUES)
    investigation = chance.choice(INVESTIGATIONS)
    name = f"{sample}_{technique}_{number:05d}"
    message = {
        "investigation": investigation,
        "instrument": INSTRUMENT,
        "name": name,
        "location": f"/data/{INSTRUMENT}/{investigation}/{sample}/{name}",
        "start_date": f"{end - timedelta(seconds=chance.randrange(20, 900)):%Y-%m-%d_%H:%M:%S}",
        "end_date": f"{end:%Y-%m-%d_%H:%M:%S}",
        "sample": {"name": sample, "type": "SAMPLE"},
        "parameters": [
            {"name": "scanType", "value": technique},
            {"name": "exposure_time", "value": f"{chance.uniform(0.01, 2):.3f}"},
        ],
        "datafiles": [{"location": f"{name}_{at:04d}.h5"} for at in range(chance.randrange(1, 12))],
        **changes,
    }
    return _json("datasets", message, "a dataset")


def _person(chance: random.Random, number: int) -> Sent:
    first, last = chance.choice(PEOPLE)
    account = f"{first[0]}{last}{number % 40}".lower().encode("ascii", "ignore").decode()
    message = {
        "id": 1000 + number,
        "first_name": first,
        "last_name": last,
        "email": f"{account}@example.org",
        "enabled": chance.random() > 0.1,
        "user_list": [{"username": account}],
        "affiliation": {"id": 7, "name": "Example University", "unit": "Physics"},
    }
    if chance.random() < 0.15:
        del message["email"]
    return _json("users", message, "a person")


def _visit(chance: random.Random, number: int, **changes: Any) -> Sent:
    today = datetime.now(UTC).date()
    message = {
        "name": f"2026{number:07d}",
        "visit_id": INSTRUMENT,
        "title": f"Structure of {chance.choice(SAMPLES)}",
        "summary": "A visit of the demo.",
        "start_date": f"{today}",
        "end_date": f"{today + timedelta(days=3)}",
        "type": "MX",
        "instrument": {"code": INSTRUMENT, "name": "Beamline 6"},
        "user_list": [],
        "icat_sync": True,
        **changes,
    }
    return _json("investigations", message, "a visit")


def _unknown_visit(chance: random.Random, number: int) -> Sent:
    sent = _dataset(chance, number, investigation=f"2027{number % 3:07d}")
    return Sent(
        sent.to, sent.body, sent.content_type, "a dataset whose visit the user office has yet to announce"
    )


def _unnamed(chance: random.Random, number: int) -> Sent:
    sent = _dataset(chance, number, name="", start_date="yesterday")
    return Sent(
        sent.to, sent.body, sent.content_type, "a dataset without a name, and with a date that is none"
    )


def _cut_off(chance: random.Random, number: int) -> Sent:
    sent = _dataset(chance, number)
    return Sent(
        sent.to, sent.body[: len(sent.body) // 2], sent.content_type, "a dataset cut off in the middle"
    )


def _unknown_instrument(chance: random.Random, number: int) -> Sent:
    sent = _visit(chance, number, type="UNHEARD-OF")
    return Sent(sent.to, sent.body, sent.content_type, "a visit of a type that ICAT does not have")


def _json(to: str, message: Any, about: str) -> Sent:
    return Sent(to, json.dumps(message, ensure_ascii=False).encode(), "application/json", about)
