"""Pacifica's INI, turned into a configuration of PACER's by the command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support import Site

WHOLE = """\
; of the ingest server
[ingest]
auth_header = X-Remote-User
default_user = root
transfer_size = 4 Mb
volume_path = /srv/ingest
[uniqueid]
url = http://uniqueid:8051
[policy]
ingest_url = http://policy:8181/ingest
[archiveinterface]
url = http://archive:8080
[metadata]
ingest_url = http://metadata:8121/ingest
[database]
peewee_url = postgresql://pacifica:p%40ssw0rd-db@db:5433/ingest
connect_attempts = 10
[celery]
broker_url = pyamqp://ingest:s3cret%2Fbroker@rabbit:5673//pacifica
backend_url = rpc://
[strange]
key = value
"""


def migrated(site: Site, text: str, *arguments: str) -> tuple[str, str]:
    """Migrate a file, check what came of it, and give the text and what was said."""
    old, new = site.write(text, "config.ini"), site.folder / "pacer.yaml"
    ran = site.pacer("config", "migrate", old, "-o", new, *arguments)
    assert new.exists(), ran.both
    checked = site.pacer("config", "check", "-c", new)
    assert checked.code == 0, checked.both
    return new.read_text(), ran.both


def test_a_whole_configuration_is_taken_over(site: Site) -> None:
    text, said = migrated(site, WHOLE)
    for expected in (
        'host: "rabbit", port: 5673, username: "ingest"',
        'vHost: "/pacifica"',
        'spool: "/srv/ingest"',
        'database: "postgresql://pacifica@db:5433/ingest"',
        'uniqueIdUrl: "http://uniqueid:8051"',
        'header: "X-Remote-User"',
        'pacifica-policy: {url: "http://policy:8181/ingest"}',
        'pacifica-archive: {url: "http://archive:8080"}',
        'pacifica-metadata: {url: "http://metadata:8121"}',
        "integrations: [pacifica, pacifica-policy, pacifica-archive, pacifica-metadata]",
    ):
        assert expected in text
    assert "p@ssw0rd-db" in text
    assert "s3cret/broker" in text
    for secret in ("p@ssw0rd-db", "p%40ssw0rd-db", "s3cret/broker", "s3cret%2Fbroker"):
        assert secret not in said
    for line, about in [
        (3, "header is believed"),
        (4, "nobody comes in as root"),
        (5, "transfer_size"),
        (17, "connect_attempts"),
        (20, "backend_url"),
        (22, "strange.key"),
    ]:
        assert re.search(rf"\b{line}\b.*{about}", said), (line, about, said)


def test_a_configuration_that_leaves_all_to_the_defaults_is_completed(site: Site) -> None:
    text, said = migrated(site, "[ingest]\n[uniqueid]\n[policy]\n[archiveinterface]\n[metadata]\n")
    assert 'host: "localhost"' in text
    assert 'pacifica-policy: {url: "http://127.0.0.1:8181/ingest"}' in text
    assert "no folder was named" in said
    assert said.count("was not given") == 4


def test_a_broker_that_is_no_rabbitmq_is_left_to_a_person(site: Site) -> None:
    _, said = migrated(site, "[celery]\nbroker_url = redis://redis:6379/0\n[uniqueid]\nurl = http://u:1\n")
    assert "a broker by redis is not taken over" in said


@pytest.mark.parametrize("text", ["[archiveinterface]\nurl\n= x\n\x00[", "[uniqueid\n[uniqueid]\nurl"])
def test_a_file_that_is_no_ini_is_said_so(site: Site, text: str) -> None:
    old = site.write(text, "config.ini")
    ran = site.pacer("config", "migrate", old, "-o", Path(site.folder, "pacer.yaml"))
    assert ran.code != 0
    assert "is no INI file" in ran.both
