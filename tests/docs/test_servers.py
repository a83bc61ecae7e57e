"""The how-to guides on brokers and services, executed as they stand with servers that the tests start."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from ruamel.yaml import YAML

from pacer_sandbox import IcatSandbox
from plugins.pacer_kafka.tests.topics import SILENT
from tests.at_length import long
from tests.docs.pages import blocks
from tests.docs.reader import Reader
from tests.docs.test_rehearsals import GUIDES, MESSAGES, PYPI, SMALL, icat
from tests.services import Kafka, Redis
from tests.services.base import free_port
from tests.support import eventually

INSTALLED = {"pip install": PYPI}
TOKEN = "of-the-beamline"


def shown(page: str, number: int = 0) -> dict[str, Any]:
    """Give a configuration that a page shows."""
    found = [block.text for block in blocks(GUIDES / page) if block.language == "yaml"]
    data = YAML(typ="rt").load(found[number])
    assert isinstance(data, dict)
    return data


def configure(reader: Reader, config: dict[str, Any]) -> None:
    """Write a configuration, with the tags that its page has."""
    with (reader.home / "pacer.yaml").open("w") as file:
        YAML(typ="rt").dump(config, file)


def settings(page: str) -> dict[str, str]:
    """Give the first settings of a server that a page shows."""
    text = next(block.text for block in blocks(GUIDES / page) if block.language == "text")
    return dict(line.split(maxsplit=1) for line in text.splitlines())


def test_run_on_redis(tmp_path: Path, start_redis: Callable[..., Redis]) -> None:
    server = start_redis(config=settings("run-on-redis.md"))
    changes = {
        "redis-cli": f"redis-cli -p {server.port}",
        "redis.example.org:6379": f"127.0.0.1:{server.port}",
    }
    varies = (r"(Redis|Valkey) \d+\.\d+\.\d+",)
    with Reader(tmp_path, changes, installed=True, left_out=INSTALLED, varies=varies) as reader:
        config = json.loads(SMALL)
        config["brokers"] = shown("run-on-redis.md")["brokers"]
        config["brokers"]["main"] |= {"host": "127.0.0.1", "port": server.port}
        configure(reader, config)
        reader.read(GUIDES / "run-on-redis.md")
        assert "1 done, 0 dead" in reader.run(
            "echo {} > one.json; pacer send -n mail one.json; pacer run --once"
        )


def test_files_from_a_folder(tmp_path: Path, icat_server: IcatSandbox) -> None:
    folder, other = tmp_path / "bl06", tmp_path / "bl11"
    changes = {"/data/bl06/ingest": str(folder), "/net/bl11/ingest": str(other)}
    with Reader(tmp_path, changes, installed=True, left_out=INSTALLED) as reader:
        config: dict[str, Any] = {
            **shown("files-from-a-folder.md"),
            "brokers": {"main": {"protocol": "sqlite", "path": str(tmp_path / "broker.db")}},
            "integrations": {"icat": icat(icat_server)},
        }
        for one, path in zip(config["services"][0]["options"]["folders"], (folder, other), strict=True):
            path.mkdir()
            one["path"] = str(path)
        configure(reader, config)
        (reader.home / "scan.xml").write_bytes((MESSAGES / "dataset-alba.xml").read_bytes())
        done = {"ls ": lambda: eventually((folder / "done" / "scan.xml").exists)}
        reader.read(GUIDES / "files-from-a-folder.md", done)
        assert reader.stop() == [0]


@long
def test_bundles_over_http(tmp_path: Path) -> None:
    port, run = free_port(), tmp_path / "run17"
    run.mkdir()
    (run / "scan.dat").write_bytes(b"measured" * 100)
    changes = {
        "https://ingest.example.org": f"http://127.0.0.1:{port}",
        "/data/bl06/run17": str(run),
        "PACER_PACIFICA_TOKEN=...": f"PACER_PACIFICA_TOKEN={TOKEN}",
    }
    left = INSTALLED | {"uv run": "tests/docs/test_example_pacifica.py"}
    with Reader(tmp_path, changes, installed=True, left_out=left, BL06_TOKEN=TOKEN) as reader:
        config = shown("bundles-over-http.md") | {
            "brokers": {"main": {"protocol": "sqlite", "path": str(tmp_path / "broker.db")}}
        }
        config["services"][0]["options"] |= {"spool": str(tmp_path / "spool"), "port": port}
        config["integrations"]["pacifica"]["spool"] = str(tmp_path / "spool")
        config["integrations"]["pacifica-archive"] = {
            "folder": str(tmp_path / "archive"),
            "moveFrom": [str(run)],
        }
        (tmp_path / "archive").mkdir()
        configure(reader, config)
        bundle(reader.home)

        def failed() -> bool:
            return " failed " in reader.run("pacer pacifica list --status failed")

        def answers() -> bool:
            with socket.socket() as client:
                return client.connect_ex(("127.0.0.1", port)) == 0

        meanwhile = {
            "pacer doctor": lambda: eventually(answers),
            "pacer pacifica retry": lambda: eventually(failed),
        }
        reader.read(GUIDES / "bundles-over-http.md", meanwhile)
        (archived,) = (tmp_path / "archive").rglob("scan.dat")
        assert archived.read_bytes() == (run / "scan.dat").read_bytes()
        assert reader.stop() == [0]


def bundle(folder: Path) -> None:
    """Write what a bundle is made of: a file, and what is to be known of it; its checksum is wrong."""
    (folder / "data").mkdir()
    (folder / "data" / "notes.txt").write_text("a good run")
    digest = hashlib.sha1(b"another run", usedforsecurity=False).hexdigest()
    rows: list[dict[str, Any]] = [
        {"destinationTable": "Transactions.submitter", "value": 10},
        {"destinationTable": "Transactions.project", "value": "1234a"},
        {"destinationTable": "Transactions.instrument", "value": 54},
        {
            "destinationTable": "Files",
            "_id": 1,
            "name": "notes.txt",
            "subdir": "data",
            "size": 10,
            "mimetype": "text/plain",
            "hashtype": "sha1",
            "hashsum": digest,
            "ctime": "2026-03-14T09:00:00",
            "mtime": "2026-03-14T09:00:00",
        },
    ]
    (folder / "metadata.txt").write_text(json.dumps(rows))


@long
def test_messages_from_kafka(tmp_path: Path, kafka: Kafka) -> None:
    servers = {"kafka-1.example.org:9092": kafka.address()}
    with Reader(tmp_path, servers, installed=True, left_out=INSTALLED) as reader:
        config = json.loads(SMALL)
        config["queues"] += shown("messages-from-kafka.md")["queues"]
        config["consumers"][0]["queues"] = [one["name"] for one in config["queues"]]
        service = json.loads(json.dumps(shown("messages-from-kafka.md")["services"]))
        service[0]["options"]["bootstrapServers"] = [kafka.address()]
        admin = AdminClient({"bootstrap.servers": kafka.address()}, logger=SILENT)
        topics = [NewTopic(one["name"], 1, 1) for one in service[0]["options"]["topics"]]
        for made in admin.create_topics(topics).values():
            made.result(30)
        configure(reader, config | {"services": service})
        reader.read(GUIDES / "messages-from-kafka.md")
