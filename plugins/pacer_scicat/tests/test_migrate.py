"""``pacer config migrate`` of a configuration of SciCat's own ingestor, in YAML and in JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pacer_core import Foreign
from pacer_scicat.migration.ingestor import migrate, recognises
from tests.support import Site

OLD = """\
id: ess
dataset:
  allow_dataset_pid: true
  generate_dataset_pid: false
  dataset_pid_prefix: 20.500.12269
  default_instrument_id: i1
  default_owner_group: ess
  default_access_groups: [swap]
ingestion:
  dry_run: false
  offline_ingestor_executable: [scicat_background_ingestor]
  max_offline_ingestors: 6
  offline_ingestors_wait_time: 10
  schemas_directory: /ess/schemas
  fallback_schema_file_path: fallback.imsc.yml
  check_if_dataset_exists_by_metadata: true
  file_handling:
    compute_file_hash: true
    file_hash_algorithm: blake2b
    save_file_hash: true
    message_to_file: false
    file_path_type: absolute
    data_directory: /ess/data
    data_file_open_max_tries: 3
kafka:
  topics: coda,loki
  group_id: scicat
  bootstrap_servers: k1:9092,k2:9092
  security_protocol: sasl_ssl
  sasl_mechanism: SCRAM-SHA-256
  sasl_username: reader
  sasl_password: kafka-secret-1
  ssl_ca_location: ''
  individual_message_commit: true
  auto_offset_reset: earliest
logging:
  logging_level: debug
  graylog: true
  graylog_host: logs
  graylog_port: '12201'
scicat:
  host: https://scicat.ess.eu/api/v3
  token: token-secret-2
  timeout: 0
  verify: false
health_check:
  host: 0.0.0.0
  port: 8081
"""


def migrated(text: str, name: str = "old.yml") -> Any:
    return migrate(Foreign(Path(name), text))


@pytest.fixture
def made() -> dict[str, Any]:
    text = migrated(OLD).text.replace("!secret ", "")
    found: dict[str, Any] = YAML(typ="safe").load(text)
    return found


def test_both_spellings_are_recognised_and_others_are_not() -> None:
    as_json = json.dumps(YAML(typ="safe").load(OLD), indent="\t")
    assert recognises(Foreign(Path("old.yml"), OLD))
    assert recognises(Foreign(Path("old.json"), as_json))
    for other in ("brokers: {main: {}}", "[", "5", "ingestion: {}", "ingestion: {}\nscicat: {}"):
        assert not recognises(Foreign(Path("x.yml"), other))
    assert migrated(as_json, "old.json").text == migrated(OLD).text


def test_files_and_pids_are_as_they_were(made: dict[str, Any]) -> None:
    (consumer,) = made["consumers"]
    assert (consumer["workers"], consumer["concurrency"]) == (1, 6)
    assert consumer["options"] == {
        "schemas": "/ess/schemas",
        "fallbackSchema": "fallback.imsc.yml",
        "allowedRoots": ["/ess/data"],
        "pid": {"policy": "given", "prefix": ""},
        "metadataKey": "job_id",
        "lookUp": "metadata",
        "hash": "blake2b",
        "paths": "absolute",
        "sidecars": {
            "folder": "../ingestor",
            "hash": True,
            "hashExtension": "b2b",
            "message": False,
            "messageExtension": "message.json",
        },
        "defaults": {"ownerGroup": "ess", "accessGroups": ["swap"], "instrumentId": "i1"},
    }


def test_kafka_becomes_a_service_and_its_password_a_secret(made: dict[str, Any]) -> None:
    (service,) = made["services"]
    options = service["options"]
    assert options["bootstrapServers"] == ["k1:9092", "k2:9092"]
    assert [topic["name"] for topic in options["topics"]] == ["coda", "loki"]
    assert options["librdkafka"] == {
        "security.protocol": "sasl_ssl",
        "sasl.mechanism": "SCRAM-SHA-256",
        "sasl.username": "reader",
        "auto.offset.reset": "earliest",
        "sasl.password": "kafka-password",
    }
    result = migrated(OLD)
    assert {name: one.reveal() for name, one in result.secrets.items()} == {
        "kafka-password": "kafka-secret-1",
        "scicat-token": "token-secret-2",
    }
    assert not any("secret-" in note.text for note in result.notes)
    assert "secret-" not in result.text


def test_every_difference_is_explained_with_its_line() -> None:
    notes = {note.line: (note.kind, note.text) for note in migrated(OLD).notes}
    lines = OLD.splitlines()

    def said(key: str) -> tuple[str, str]:
        return notes[next(at for at, line in enumerate(lines, 1) if line.strip().startswith(f"{key}:"))]

    assert said("timeout") == ("changed", "scicat.timeout 0 made every call fail: it is two minutes now")
    assert said("verify")[0] == "left-out"
    assert said("individual_message_commit")[0] == "left-out"
    assert said("max_offline_ingestors")[1].endswith("at most workers x concurrency files at once (6)")
    assert said("fallback_schema_file_path")[1].endswith("had no effect; it has one now")
    assert said("offline_ingestors_wait_time")[0] == "left-out"
    assert said("graylog")[0] == "changed"
    assert any(kind == "to-do" and "brokers.main" in text for kind, text in notes.values())


@pytest.mark.parametrize(
    ("old", "new", "policy"),
    [
        ("generate_dataset_pid: false", "generate_dataset_pid: true", "generated"),
        ("allow_dataset_pid: true", "allow_dataset_pid: false", "server"),
    ],
)
def test_the_policies_of_pids(old: str, new: str, policy: str) -> None:
    text = migrated(OLD.replace(old, new)).text.replace("!secret ", "")
    assert YAML(typ="safe").load(text)["consumers"][0]["options"]["pid"]["policy"] == policy


def test_the_result_is_a_configuration_of_pacer(site: Site) -> None:
    old, new = site.write(OLD, "old.yml"), site.folder / "pacer.yaml"
    ran = site.pacer("config", "migrate", old, "-o", new, "--secrets", site.folder / "secrets")
    assert ran.code == 0, ran.both
    assert site.pacer("config", "check", "-c", new).code == 0
    assert "-secret-" not in new.read_text()
    assert "udp://logs:12201" in new.read_text()


def test_a_bare_configuration_is_migrated_with_what_is_left_to_do() -> None:
    result = migrated("ingestion: {schemas_directory: schemas}\nscicat: {}\nstrange: 1\n")
    assert {note.kind for note in result.notes} == {"changed", "left-out", "to-do"}
    assert "strange" in "".join(note.text for note in result.notes)
    assert "/schemas" in result.text
