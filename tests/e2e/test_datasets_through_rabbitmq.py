"""The first slice, whole: dataset messages go in at a RabbitMQ and come out in an ICAT."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from pacer_core.config import Config, load
from pacer_core.model.messages import Outcome
from pacer_core.transport.connection import connect
from pacer_core.transport.dead_queues import look
from pacer_core.transport.letters import DeadLetter
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.topology import declare
from pacer_core.work.worker import Worker
from pacer_sandbox import IcatSandbox
from tests.services import RabbitMQ

DATASETS, FILES = 1000, 20
MESSAGES = Path(__file__).parents[2] / "examples" / "messages"

CONFIG = """
brokers:
  main: {{host: 127.0.0.1, port: {port}, username: guest, password: guest, vHost: {vhost}}}
exchanges: [{{name: ingest}}]
queues: [{{name: datasets, exchange: ingest, routingKey: dataset.ingest}}]
consumers:
  - type: datasets
    queues: [datasets]
    integrations: [icat]
    notYet: {{for: 0}}
    options: {{unknownParameters: {unknown}}}
integrations:
  icat: {{url: "{icat}", authenticator: simple, username: root, password: secret, timeZone: Europe/Madrid}}
logging: {{logLevel: WARNING}}
"""


@pytest.fixture
def sandbox() -> Iterator[IcatSandbox]:
    """A sandbox with the demo facility."""
    with IcatSandbox(seed="demo") as sandbox:
        yield sandbox


@pytest.fixture
def configure(rabbitmq: RabbitMQ, rabbitmq_vhost: str, sandbox: IcatSandbox, tmp_path: Path) -> Any:
    """Write a configuration for this test's broker and ICAT, and load it."""

    def configure(unknown: str = "ignore") -> Config:
        file = tmp_path / "pacer.yaml"
        file.write_text(
            CONFIG.format(port=rabbitmq.port, vhost=rabbitmq_vhost, icat=sandbox.url, unknown=unknown)
        )
        return load(file)

    return configure


def send(config: Config, bodies: list[bytes], content_type: str | None = None) -> None:
    """Publish bodies to the datasets queue, confirmed."""
    properties = {} if content_type is None else {"content_type": content_type}
    with closing(connect(config.broker, "test")) as connection:
        declare(connection, config)
    with closing(Publisher(config.broker)) as publisher:
        publisher.publish(
            [Outgoing("ingest", "dataset.ingest", body, properties=properties) for body in bodies]
        )


def dead(config: Config) -> list[DeadLetter]:
    """Give what is in the dead queue."""
    with closing(connect(config.broker, "test")) as connection:
        return list(look(connection, "datasets.dead"))


def dataset(number: int) -> bytes:
    """Make the message of one dataset."""
    return orjson.dumps(
        {
            "investigation": "20250330096",
            "instrument": "bl06",
            "name": f"run-{number:04}",
            "location": f"/data/run-{number:04}",
            "start_date": f"2025-07-15T{number // 60:02}:{number % 60:02}:00",
            "end_date": f"2025-07-15T{number // 60:02}:{number % 60:02}:30",
            "sample": {"name": f"sample-{number % 7}", "type": "SAMPLE"},
            "parameters": [{"name": "scanType", "value": f"scan {number}"}],
            "datafiles": [{"location": f"/data/run-{number:04}/file-{file:02}.h5"} for file in range(FILES)],
        }
    )


def test_a_thousand_datasets_go_in_at_the_broker_and_come_out_in_icat(
    configure: Any, sandbox: IcatSandbox
) -> None:
    import icat

    config = configure()
    send(config, [dataset(number) for number in range(DATASETS)], "application/json")

    outcomes = Worker(config, config.consumers).run(once=True)

    assert outcomes == {Outcome.ACKED: DATASETS}
    client = icat.Client(sandbox.wsdl)
    client.login("simple", {"username": "root", "password": "secret"})
    stored = client.search("SELECT d.name, d.location, s.name FROM Dataset d JOIN d.sample s")
    assert sorted(map(tuple, stored)) == [
        (f"run-{number:04}", f"/data/run-{number:04}", f"sample-{number % 7}") for number in range(DATASETS)
    ]
    files: dict[str, set[str]] = defaultdict(set)
    for start in range(0, DATASETS * FILES, 5000):
        rows = client.search(
            f"SELECT d.name, f.location FROM Datafile f JOIN f.dataset d ORDER BY f.id LIMIT {start}, 5000"
        )
        for name, location in rows:
            files[name].add(location)
    assert files == {
        f"run-{number:04}": {f"/data/run-{number:04}/file-{file:02}.h5" for file in range(FILES)}
        for number in range(DATASETS)
    }
    parameters = client.search(
        "SELECT d.name, p.stringValue FROM DatasetParameter p JOIN p.dataset d JOIN p.type t "
        "WHERE t.name = 'scanType'"
    )
    assert sorted(map(tuple, parameters)) == [(f"run-{n:04}", f"scan {n}") for n in range(DATASETS)]
    client.logout()


def test_the_same_messages_again_change_nothing(configure: Any, sandbox: IcatSandbox) -> None:
    import icat

    config = configure()
    bodies = [
        (MESSAGES / name).read_bytes()
        for name in ("dataset-alba.xml", "dataset-alba.json", "dataset-esrf.xml")
    ]
    client = icat.Client(sandbox.wsdl)
    client.login("simple", {"username": "root", "password": "secret"})
    seen = []
    for _ in range(2):
        send(config, bodies)
        assert Worker(config, config.consumers).run(once=True) == {Outcome.ACKED: 3}
        query = "SELECT d.id, d.name, d.modTime FROM Dataset d ORDER BY d.id"
        counts = [
            client.search(f"SELECT COUNT(e) FROM {one} e")[0] for one in ("Datafile", "DatasetParameter")
        ]
        seen.append((list(map(tuple, client.search(query))), counts))
    assert len(seen[0][0]) == 2
    assert seen[0] == seen[1]
    client.logout()


def _alba(**changes: Any) -> bytes:
    return orjson.dumps(orjson.loads((MESSAGES / "dataset-alba.json").read_bytes()) | changes)


BAD = {
    "neither": (b"\xff\xfe\x00 \x80 no text", None),
    "broken JSON": ((MESSAGES / "broken-json.json").read_bytes(), "$"),
    "broken fields": ((MESSAGES / "broken-fields.xml").read_bytes(), "parameters[0].value"),
    "wrong root": (b"<investigation/>", "$"),
    "doctype": (b'<!DOCTYPE d [<!ENTITY a "b">]><dataset>&a;</dataset>', None),
    "empty body": (b"", None),
    "empty field": (_alba(name=""), "name"),
    "missing field": (_alba(instrument=None), "instrument"),
    "bad date": (_alba(start_date="15.7.2025"), "start_date"),
    "unknown investigation": (_alba(investigation="nobody-knows"), None),
    "unknown instrument": (_alba(instrument="bl99"), None),
    "unknown sample type": (_alba(sample={"name": "s", "type": "NONE"}), None),
    "unknown parameter": (_alba(parameters=[{"name": "nonsense", "value": "1"}]), "parameters[0].name"),
    "duplicate parameter": (
        _alba(parameters=[{"name": "scanType", "value": "1"}, {"name": "ScanType ", "value": "2"}]),
        "parameters[1].name",
    ),
    "over-long value": (_alba(name="n" * 300), "name"),
    "too many files": (_alba(datafiles=[{"location": f"f{n}"} for n in range(30_001)]), "datafiles"),
}


def test_each_bad_message_is_dead_byte_for_byte_and_the_worker_goes_on(
    configure: Any, caplog: pytest.LogCaptureFixture
) -> None:
    config = configure(unknown="reject")
    good = (MESSAGES / "dataset-alba.json").read_bytes()
    send(config, [*(body for body, _ in BAD.values()), good])

    outcomes = Worker(config, config.consumers).run(once=True)

    assert outcomes == {Outcome.DEAD: len(BAD), Outcome.ACKED: 1}
    letters = {letter.envelope.body: letter for letter in dead(config)}
    assert set(letters) == {body for body, _ in BAD.values()}
    for name, (body, path) in BAD.items():
        letter = letters[body]
        assert letter.error, name
        if path not in (None, "$"):
            assert any(field.startswith(f"{path}:") for field in letter.fields), (name, letter)
    told = [record for record in caplog.records if ": dead in " in record.getMessage()]
    assert len(told) == len(BAD)
