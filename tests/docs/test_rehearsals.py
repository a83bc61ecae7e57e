"""The how-to guides' commands, executed as they stand where a reader of the page would stand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pacer_sandbox import IcatSandbox
from tests.docs.pages import ROOT, blocks
from tests.docs.reader import Reader
from tests.services import RabbitMQ
from tests.services.base import free_port

PYPI = "nox -s wheels installs every distribution"
GUIDES = ROOT / "docs" / "how-to"
MESSAGES = ROOT / "examples" / "messages"
BROKER = "amqp://rabbit.example.org:5672/ingest"
TIMES = (
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}",
    r"\d+\.\d+ ms",
    r"RabbitMQ \d+\.\d+\.\d+",
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    r"(?<=process )\d+",
)
"""What is another one each time: times, versions, ids."""


def icat(server: IcatSandbox) -> dict[str, Any]:
    """Give the integration with a sandbox."""
    account = {"authenticator": "simple", "username": "root", "password": "secret"}
    return {"url": server.url, **account, "timeZone": "Europe/Madrid"}


def main(rabbitmq: RabbitMQ, vhost: str) -> dict[str, Any]:
    """Give the broker of a configuration."""
    return {"main": {"host": "127.0.0.1", "port": rabbitmq.port, "vHost": vhost}}


def write(reader: Reader, config: Mapping[str, Any], name: str = "pacer.yaml") -> None:
    """Write a configuration, in the YAML that JSON is."""
    (reader.home / name).write_text(json.dumps(config))


def dataset(**changes: Any) -> str:
    """Give a message that the demo facility takes."""
    message = json.loads((MESSAGES / "dataset-alba.json").read_text())
    return json.dumps({**message, **changes})


@pytest.fixture
def here(rabbitmq: RabbitMQ, rabbitmq_vhost: str) -> dict[str, str]:
    """Give what the broker of the pages is called on this machine."""
    return {BROKER: f"amqp://127.0.0.1:{rabbitmq.port}/{rabbitmq_vhost}"}


def test_find_out_what_is_wrong(
    tmp_path: Path,
    rabbitmq: RabbitMQ,
    rabbitmq_vhost: str,
    here: dict[str, str],
    icat_server: IcatSandbox,
    icat_client: Any,
) -> None:
    port = free_port()
    away = {
        "/var/lib/pacer": str(tmp_path / "state"),
        'server at "visa-db", port 5432 failed': f'server at "127.0.0.1", port {port} failed',
    }
    queue = "icat-dataset-ingest"
    with Reader(tmp_path, here | away, installed=True, codes={"pacer doctor": 69}, varies=TIMES) as reader:
        config: dict[str, Any] = {
            "brokers": main(rabbitmq, rabbitmq_vhost),
            "queues": [{"name": queue}, {"name": "users"}],
            "consumers": [
                {"type": "datasets", "queues": [queue], "integrations": ["icat", "dashboard"]},
                {"type": "users", "queues": ["users"], "integrations": ["icat", "visa"]},
            ],
            "integrations": {
                "icat": icat(icat_server),
                "visa": {
                    "host": "127.0.0.1",
                    "port": port,
                    "username": "pacer",
                    "password": "secret",
                    "timeZone": "Europe/Madrid",
                },
                "dashboard": {"exchange": "records", "routingKey": "record"},
            },
            "logging": {"file": {"enabled": True, "path": "pacer.log"}},
            "processes": {"stateFolder": str(tmp_path / "state")},
        }
        write(reader, config)

        def come_too_early() -> None:
            (reader.home / "one.json").write_text(dataset())
            with visit_away(icat_client):
                reader.run("pacer send -n datasets one.json && pacer run --once")
            reader.run("pacer waiting now --all --yes && pacer run --once")

        reader.read(GUIDES / "find-out-what-is-wrong.md", {"pacer trace": come_too_early})


def test_look_at_a_configuration(tmp_path: Path) -> None:
    with Reader(tmp_path, installed=True) as reader:
        write(reader, json.loads(SMALL))
        reader.read(GUIDES / "look-at-a-configuration.md")
        completed = reader.run('eval "$(_PACER_COMPLETE=bash_source pacer)" && complete -p pacer')
        assert "_pacer_completion pacer" in completed
        assert json.loads((reader.home / "pacer.schema.json").read_text())["properties"]
        assert (reader.home / "pacer.svg").read_text().startswith("<svg")


SMALL = """{
  "brokers": {"main": {"protocol": "sqlite", "path": "broker.db"}},
  "queues": [{"name": "mail"}],
  "consumers": [{"type": "forward", "name": "mail", "queues": ["mail"]}]
}"""


def test_plan_messages(tmp_path: Path, icat_server: IcatSandbox, icat_client: Any) -> None:
    (visit,) = icat_client.search("SELECT i FROM Investigation i WHERE i.name = '20250330096'")
    (kind,) = icat_client.search("SELECT t FROM SampleType t WHERE t.name = 'SAMPLE'")
    icat_client.new("Sample", name="lysozyme", investigation=visit, type=kind).create()
    with Reader(tmp_path, installed=True, codes={"pacer plan": 1}) as reader:
        config: dict[str, Any] = {
            **json.loads(SMALL),
            "consumers": [
                {
                    "type": "datasets",
                    "queues": ["mail"],
                    "integrations": ["icat", "elastic"],
                    "options": {"unknownParameters": "ignore"},
                }
            ],
            "integrations": {
                "icat": icat(icat_server),
                "elastic": {"url": f"http://127.0.0.1:{free_port()}", "index": "datasets"},
            },
        }
        write(reader, config)
        folder = reader.home / "archive"
        folder.mkdir()
        (folder / "broken.json").write_text(dataset(name=""))
        xml = (MESSAGES / "dataset-alba.xml").read_text()
        xml = xml.replace("ref-cq_3_diffraction_thumbnail_run1<", "run-7<").replace(
            "20250703_Sample-cq", "lysozyme"
        )
        (reader.home / "run-7.xml").write_text(xml.replace("input_datasets", "nobody knows"))
        reader.read(GUIDES / "plan-messages.md")


VISIT = "SELECT i FROM Investigation i WHERE i.name = '20250330096' INCLUDE 1"


@contextmanager
def visit_away(icat: Any) -> Iterator[None]:
    """Leave ICAT without the investigation that messages are about."""

    def call(name: str, now: str) -> None:
        (visit,) = icat.search(VISIT.replace("20250330096", name))
        visit.name = now
        visit.update()

    call("20250330096", "elsewhere")
    yield
    call("elsewhere", "20250330096")


def test_run_beside_icat_pacer(
    tmp_path: Path, rabbitmq: RabbitMQ, rabbitmq_vhost: str, icat_server: IcatSandbox
) -> None:
    rabbit = f"host: 127.0.0.1, port: {rabbitmq.port}, vHost: {rabbitmq_vhost}"
    changes = {
        "host: rabbit.example.org, username: pacer, password: !env RABBIT_PASSWORD": rabbit,
        "{url: https://icat.example.org, authenticator: db, username: reader, password: !env ICAT_PASSWORD}":
        json.dumps(icat(icat_server)),
    }  # fmt: skip
    with Reader(
        tmp_path,
        changes,
        installed=True,
        codes={"pacer plan -c beside.yaml --queue datasets-beside --differences\n": 1},
    ) as reader:
        exchange = {"exchange": "dataset-ingest-exchange", "routingKey": "dataset.ingest"}
        config = {
            "brokers": main(rabbitmq, rabbitmq_vhost),
            "exchanges": [{"name": exchange["exchange"]}],
            "queues": [{"name": "datasets", **exchange}],
            "consumers": [{"type": "datasets", "queues": ["datasets"], "integrations": ["icat"]}],
            "integrations": {"icat": icat(icat_server)},
        }
        write(reader, config, "old.yaml")

        def send(*messages: str) -> None:
            for number, text in enumerate(messages):
                (reader.home / f"{number}.json").write_text(text)
            names = " ".join(f"{number}.json" for number in range(len(messages)))
            reader.run(f"pacer send -c old.yaml -n datasets {names}")

        def day() -> None:
            send(*messages)

        files = [{"location": f"{name}.h5"} for name in "abcd"]
        messages = [
            dataset(name="run-6"),
            dataset(name="run-7", datafiles=files),
            dataset(name="run-8", end_date="2025-07-15_16:00:00"),
            dataset(name="run-9", start_date="yesterday"),
            dataset(name="run-10", investigation="20260101001"),
        ]
        reader.run("pacer plan -c old.yaml -q datasets --declare")
        less = json.loads(messages[1])
        less["datafiles"], less["parameters"] = files[:2], less["parameters"][:2]
        send(messages[0], json.dumps(less), dataset(name="run-8"))
        assert "3 done, 0 dead" in reader.run("pacer run --once -c old.yaml")
        reader.read(
            GUIDES / "run-beside-icat-pacer.md",
            {"pacer plan -c beside.yaml --queue datasets-beside --differences\n": day},
        )


def test_grow(
    tmp_path: Path, rabbitmq: RabbitMQ, rabbitmq_vhost: str, icat_server: IcatSandbox, icat_client: Any
) -> None:
    broker = {"amqp://broker:5672//": f"amqp://127.0.0.1:{rabbitmq.port}/{rabbitmq_vhost}"}
    with Reader(
        tmp_path,
        broker,
        installed=True,
        codes={"pacer partitions change investigation\n": 1},
        varies=(r"investigation\.\d(?=\))",),
    ) as reader:
        config: dict[str, Any] = {
            "brokers": main(rabbitmq, rabbitmq_vhost),
            "queues": [{"name": "datasets"}],
            "consumers": [{"type": "datasets", "queues": ["datasets"], "integrations": ["icat"]}],
            "integrations": {"icat": icat(icat_server)},
            "keySpaces": [{"name": "investigation", "partitions": 4}],
        }
        write(reader, config)
        for number in range(12):
            (reader.home / f"{number}.json").write_text(dataset(name=f"run-{number}"))
        with visit_away(icat_client):
            assert "12 waiting" in reader.run(
                "pacer send '*.json'; pacer run --once; pacer waiting now --all --yes"
            )
        config["keySpaces"] = [{"name": "investigation", "partitions": 8}]
        write(reader, config)
        reader.read(GUIDES / "grow.md")


def test_set_up_a_facility(tmp_path: Path, icat_server: IcatSandbox) -> None:
    left = {"python3 -m venv": PYPI, "/opt/pacer/bin/": PYPI}
    page, file = GUIDES / "set-up-a-facility.md", tmp_path / "home" / "pacer.yaml"
    changes = {
        "amqp://rabbit.example.org:5672/pacer": f"pacer+sqlite:///{tmp_path}/broker.db",
        "pacer.yaml is fine": f"{file} is fine",
    }
    with Reader(tmp_path, changes, installed=True, left_out=left) as reader:
        whole = next(one.text for one in blocks(page) if one.text.startswith("brokers:"))
        config = YAML(typ="rt").load(whole)
        config["brokers"]["main"] = {"protocol": "sqlite", "path": str(tmp_path / "broker.db")}
        del config["exchanges"], config["logging"]
        config["queues"] = [{"name": one["name"]} for one in config["queues"]]
        config["integrations"]["icat"] = icat(icat_server)
        config["processes"] = {"stateFolder": str(tmp_path / "state")}
        file.write_text(json.dumps(config))
        reader.run(f"export PACER_CONFIG={file}")
        reader.read(page)
        for kind in ("dead", "waiting"):
            assert json.loads(reader.run(f"pacer {kind} list --json"))["letters"] == []
