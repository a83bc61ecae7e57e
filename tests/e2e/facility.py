"""A facility with all its ends, for a PACER between them: where messages go, and how they look from there."""

from __future__ import annotations

import io
import itertools
import json
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
from attrs import define, field
from ruamel.yaml import YAML

from pacer_http.testing import CUT, LOST, RESET, StandIn, refusal
from pacer_sandbox import IcatSandbox
from plugins.pacer_datacite.tests.lupo import Lupo
from plugins.pacer_elastic.tests.node import Node
from plugins.pacer_icatplus.tests.vendor import Proxy
from plugins.pacer_panosc.tests.services import Pss, SearchApi
from tests.e2e.postgres_wire import PostgresWire
from tests.lab import Lab
from tests.support import Running, eventually

EXAMPLE = Path(__file__).parents[2] / "examples" / "facility" / "pacer.yaml"
EXCHANGES = {"user": "user-office", "investigation": "user-office", "dataset": "dataset-ingest-exchange"}
KEYS = {
    "user": "user.changed",
    "investigation": "investigation.changed",
    "operation": "investigation.operations",
    "dataset": "dataset.ingest",
}
BOARD, RECORD = "dashboard-logging-exchange", "message.logging"
FAULTS = (refusal(503), RESET, refusal(429), CUT, refusal(500), LOST)
NOT_DONE = (refusal(503), RESET, refusal(429), refusal(500))
"""For ICAT+, which does not know an image again: an answer that is lost doubles it, as its page says."""
ASKED_ONCE = "search"
"""The end that fails with its first call: there is no second one."""
COMPLAINT = "records for the dashboard wait"


@define(eq=False)
class Facility:
    """What stands around PACER, and how one looks at it from the other side."""

    lab: Lab
    sandbox: IcatSandbox
    icat: Any
    root: Path
    visa_url: str
    visa: PostgresWire
    lupo: Lupo
    search: SearchApi
    pss: Pss
    node: Node
    images: Proxy
    services: dict[str, StandIn]
    fails: bool
    running: Running | None = None
    records: dict[str, dict[str, Any]] = field(factory=dict)

    def begin(self) -> None:
        """Start PACER, and let every second call fail from here on where that is wished."""
        self.lab.declare()
        self.board(bound=True)
        if self.fails:
            self.visa.loses = True
            self.sandbox.misbehave.fail("deadlock", every=2)
            for entity in ("User", "Investigation", "Dataset"):
                for at in (1, 2):  # one of which is no deadlock
                    self.sandbox.misbehave.fail("lost-answer", at=at, operation="writes", entity=entity)
            for place, (name, service) in enumerate(self.services.items()):
                kinds = NOT_DONE if name == "icatplus" else FAULTS
                faults = (kinds[number % len(kinds)] for number in itertools.count(place))
                for number, fault in enumerate(itertools.islice(faults, 100)):
                    service.fail(fault, after=1 if number or name != ASKED_ONCE else 0)
        self.running = self.lab.run()

    def board(self, *, bound: bool) -> None:
        """Let the dashboard's queue take records, or not."""
        channel = self.lab.channel
        channel.queue_declare("board", durable=True, auto_delete=False)
        (channel.queue_bind if bound else channel.queue_unbind)("board", BOARD, RECORD)
        channel.close()

    def send(self, kind: str, messages: list[dict[str, Any]], **expected: int) -> None:
        """Send messages, and wait until the dashboard has heard of as many as are expected to be done."""
        before = Counter(self.done)
        complaints = self.printed.count(COMPLAINT)
        if self.fails:
            self.board(bound=False)
        for message in messages:
            self.lab.publish(message, to=KEYS[kind], exchange=EXCHANGES.get(kind, "user-office"))
        if self.fails:
            # As a rule it complains at once; not where it has not yet got over the time before.
            until = time.monotonic() + 3
            while self.printed.count(COMPLAINT) == complaints and time.monotonic() < until:
                time.sleep(0.05)
            self.board(bound=True)
        wanted = before + Counter({name.replace("_", "-"): number for name, number in expected.items()})
        eventually(lambda: self.hear() == wanted, 60, lambda: f"{wanted}, but {self.story()}")

    def hear(self) -> Counter[str]:
        """Read what the dashboard has got; it tells records that come twice by their id. Give `done`."""
        for message in self.lab.take("board"):
            record = json.loads(message.body)
            self.records[record["id"]] = record
            assert record["outcome"] != "dead", record["failures"]
        return self.done

    @property
    def done(self) -> Counter[str]:
        """By consumer type, how many messages are done, as the dashboard has it."""
        return Counter(one["type"] for one in self.records.values() if one["outcome"] == "acked")

    @property
    def ends(self) -> tuple[str, ...]:
        """All ends, by the names that `failed` has for them."""
        return (*self.services, "icat", "visa", "dashboard")

    @property
    def failed(self) -> set[str]:
        """The ends that have failed, as they were told to."""
        if not self.fails:
            return set()
        reasons = {failure["reason"] for one in self.records.values() for failure in one["failures"]}
        times = {name: (len(one.requests) + (name == ASKED_ONCE)) // 2 for name, one in self.services.items()}
        times["icat"] = sum("ICAT does not answer" in reason for reason in reasons)
        times["visa"] = min(self.visa.lost_before, self.visa.lost_after)
        times["dashboard"] = self.printed.count(COMPLAINT)
        return {name for name, number in times.items() if number}

    @property
    def printed(self) -> str:
        """What PACER has said so far."""
        return "" if self.running is None else self.running.printed

    def story(self) -> str:
        """Tell what has happened so far."""
        lines = [
            f"{one['type']} {one['attempt']} {one['outcome']} {one['failures']}"
            for one in self.records.values()
        ]
        return "\n".join([str(self.done), *lines, self.printed])

    def behave(self) -> None:
        """Let nothing fail any more, so that one can look."""
        self.sandbox.misbehave.clear()
        self.visa.loses = False
        for service in self.services.values():
            service.behave()


def configure(
    broker: Mapping[str, Any], ends: Mapping[str, Mapping[str, Any]], root: Path, state: Path
) -> str:
    """Give the example of a facility, with other addresses and without its delays."""
    yaml = YAML()
    config = yaml.load(EXAMPLE)
    config["brokers"]["main"] = dict(broker)
    for name, changes in ends.items():
        config["integrations"][name].update(changes)
    config["integrations"]["icatPlus"]["allowedRoots"] = [str(root)]
    for consumer in config["consumers"]:
        consumer["retries"] = {"limit": 100, "delay": 0, "maxDelay": "1s"}
        if consumer["type"] == "datasets":
            consumer["options"]["allowedRoots"] = [str(root)]
    config["logging"] = {"logLevel": "INFO"}
    config["health"] = {"enabled": False}  # its port is one for all tests of a machine
    config["processes"] = {"stateFolder": str(state), "shutdownGrace": "5s"}
    text = io.StringIO()
    yaml.dump(config, text)
    return text.getvalue()


def in_icat(icat: Any, name: str, root: Path) -> dict[str, Any]:
    """What a plain python-icat reads, row by row, so that nothing may be there twice."""

    def rows(query: str) -> list[tuple[Any, ...]]:
        found = icat.search(query)
        return sorted(tuple(_short(value, root) for value in one) for one in found)

    whose = f"o.investigation.name = '{name}'"
    of_dataset = f"o.dataset.investigation.name = '{name}'"
    return {
        "users": rows("SELECT o.name, o.fullName, o.email FROM User o WHERE o.name NOT LIKE '%/%'"),
        "visits": rows(f"SELECT o.visitId, o.title, o.doi FROM Investigation o WHERE o.name = '{name}'"),
        "members": rows(f"SELECT o.user.name, o.role FROM InvestigationUser o WHERE {whose}"),
        "datasets": rows(
            f"SELECT o.name, o.location, o.type.name, o.sample.name FROM Dataset o WHERE {whose}"
        ),
        "files": rows(f"SELECT o.dataset.name, o.name FROM Datafile o WHERE {of_dataset}"),
        "links": rows(
            f"SELECT o.dataset.name, o.type.name, o.stringValue FROM DatasetParameter o WHERE {of_dataset} "
            "AND (o.type.name LIKE '%_datasetNames' OR o.type.name = 'ResourcesGalleryFilePaths')"
        ),
        "statistics": rows(
            f"SELECT o.type.name, o.numericValue FROM InvestigationParameter o WHERE {whose} "
            "AND o.type.name LIKE '%DatasetCount'"
        ),
    }


def _short(value: Any, root: Path) -> Any:
    return value.replace(str(root), "") if isinstance(value, str) else value


def in_visa(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """What VISA's own server reads."""
    queries = {
        "users": "SELECT id, first_name, email, affiliation_id, instance_quota FROM visa.users",
        "roles": "SELECT o.user_id, role.name FROM visa.user_role o JOIN visa.role ON role.id = o.role_id",
        "employers": "SELECT id, name, town, country_code FROM visa.employer",
        "proposals": "SELECT id, identifier, title FROM visa.proposal",
        "experiments": "SELECT id, proposal_id, instrument_id, doi, url FROM visa.experiment",
        "members": "SELECT experiment_id, user_id FROM visa.experiment_user",
    }
    with psycopg.connect(url) as connection:
        return {name: sorted(connection.execute(query.encode())) for name, query in queries.items()}
