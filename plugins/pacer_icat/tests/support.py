"""What the tests of pacer-icat share: options, messages, and a message's way through a consumer type."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pacer_core import ConsumerType, Delivery, Secret
from pacer_core.testing import deliver
from pacer_icat import ICAT, IcatClient, IcatOptions
from pacer_icat.client import Shared
from pacer_sandbox import IcatSandbox
from tests.support import Site

MESSAGES = Path(__file__).parent / "messages"
Send = Callable[..., Delivery]
DEMO = "20250330096"
"""The investigation of the demo facility that messages are about."""

CLOCK_CHANGES = (
    ("2025-10-26T02:30:00", "2025-10-26T02:10:00", 0),
    ("2025-10-26T02:30:00+02:00", "2025-10-26T02:10:00+01:00", 0),
    ("2025-10-26T02:10:00+02:00", "2025-10-26T02:30:00+02:00", 1200),
    ("2025-03-30T02:30:00", "2025-03-30T03:10:00", 2400),
)
"""Start and end around the two nights of a year, and the seconds that ICAT shall see between them."""

DATASET_STATE = {
    "Sample": "o.name, o.investigation.name",
    "Dataset": "o.name, o.location, o.startDate, o.endDate, o.complete, o.type.name, o.sample.name",
    "DatasetParameter": "o.dataset.name, o.type.name, o.stringValue, o.numericValue, o.dateTimeValue",
    "Datafile": "o.dataset.name, o.name, o.location, o.fileSize",
    "DatasetInstrument": "o.dataset.name, o.instrument.name",
}
"""All that a dataset message may write, by entity."""


def options_for(server: IcatSandbox, **more: Any) -> IcatOptions:
    """Give the options of the account that may do everything."""
    return IcatOptions(
        **{
            "url": server.url,
            "authenticator": "simple",
            "username": "root",
            "password": Secret("secret"),
            "time_zone": "Europe/Berlin",
            **more,
        }
    )


@contextmanager
def icat_client(server: IcatSandbox, **more: Any) -> Iterator[IcatClient]:
    """Give our client as a worker has it, on the demo facility."""
    shared = Shared(options_for(server, **more))
    try:
        yield IcatClient(shared)
    finally:
        shared.close()


def change(shared: Shared, **changes: Any) -> None:
    """Change the demo's investigation; ``None`` takes a value away."""
    (found,) = shared.wire.search("SELECT o.id FROM Investigation o WHERE o.name = :name", name=DEMO)
    record = shared.wire.read("Investigation", found)
    assert record is not None
    shared.wire.update(record, **changes)


def deliver_to(
    consumer: ConsumerType, body: Any, icat: IcatClient, *, options: Any = None, twice: bool = True
) -> Delivery:
    """Send a message, given as text or as what JSON holds, with ICAT as its only integration."""
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    return deliver(consumer, text, integrations={ICAT: icat}, options=options, twice=twice)


def dataset_message(**changes: Any) -> dict[str, Any]:
    """Give a message that the demo facility accepts; ``None`` leaves a field out."""
    message = {
        "investigation": DEMO,
        "instrument": "bl06",
        "name": "run1",
        "location": "/data/visit/run1",
        "start_date": "2025-07-15T10:00:00+02:00",
        "end_date": "2025-07-15T11:00:00+02:00",
        "sample": {"name": "Lysozyme", "type": "SAMPLE"},
        "parameters": [{"name": "scanType", "value": "line"}],
        "datafiles": [
            {"location": "/data/visit/run1/a.h5"},
            {"location": "/data/visit/run1/b.h5", "size": 7},
        ],
        **changes,
    }
    return {name: value for name, value in message.items() if value is not None}


def parameters_of(plain: Any, entity: str = "Dataset") -> dict[str, dict[str, Any]]:
    """Give the parameters of all datasets, samples or investigations that have some, by name."""
    field = entity.lower()
    found: dict[str, dict[str, Any]] = {}
    for owner, name, text, number in plain.search(
        f"SELECT p.{field}.name, p.type.name, p.stringValue, p.numericValue FROM {entity}Parameter p"
    ):
        found.setdefault(owner, {})[name] = text if number is None else number
    return found


def follow(delivery: Delivery, consumer: ConsumerType, icat: IcatClient, **more: Any) -> Delivery:
    """Send the follow-up that a delivery has for a consumer type."""
    (found,) = (one for one in delivery.follow_ups if one.consumer_type == consumer.name)
    return deliver_to(consumer, found.body, icat, **more)


def example(name: str) -> dict[str, Any]:
    """Give one of the facilities' messages in JSON."""
    message: dict[str, Any] = json.loads((MESSAGES / name).read_text())
    return message


def configure(site: Site, server: IcatSandbox, folder: Path, *types: str) -> Path:
    """Write a facility's configuration: a broker in a file, and consumers with a queue of their own each."""
    config = {
        "brokers": {"main": {"protocol": "sqlite", "path": str(folder / "broker.db")}},
        "queues": [{"name": one} for one in types],
        "integrations": {
            "icat": {
                "url": server.url,
                "authenticator": "simple",
                "username": "root",
                "password": "secret",
                "timeZone": "Europe/Berlin",
            }
        },
        "consumers": [
            {"type": one, "queues": [one], "integrations": ["icat"], "concurrency": 8} for one in types
        ],
        "processes": {"stateFolder": str(folder / "state")},
    }
    return site.write(json.dumps(config, indent=2))


def link_lists(plain: Any) -> dict[str, dict[str, list[str]]]:
    """Give the lists of all datasets that have some, with names instead of ids."""
    names = dict(plain.search("SELECT d.id, d.name FROM Dataset d"))
    found = {
        dataset: {
            kind: [names[int(one)] if kind.endswith("Ids") else one for one in (value or "").split()]
            for kind, value in parameters.items()
            if kind.endswith(("Ids", "Names")) or kind == "output_datasets"
        }
        for dataset, parameters in parameters_of(plain).items()
    }
    return {dataset: lists for dataset, lists in found.items() if lists}
