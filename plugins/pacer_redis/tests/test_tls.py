"""Redis over TLS, with an authority of the facility's own."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from amqp.exceptions import RecoverableConnectionError

from pacer_contract import Broker
from pacer_contract.broker import Inbox, declare, send
from pacer_core import BrokerError
from pacer_redis import REDIS, RedisOptions, Tls
from tests.services import Redis
from tests.services.base import free_port, program
from tests.services.fixtures import skip_without_program


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two authorities, and what one has certified: this machine, another one, a client."""
    folder = tmp_path_factory.mktemp("keys")
    with skip_without_program():
        openssl = program("openssl", package="openssl")

    def make(name: str, *more: str) -> None:
        new = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}")
        files = ("-keyout", f"{name}.key", "-out", f"{name}.pem")
        subprocess.run([openssl, *new, *files, *more], cwd=folder, check=True, capture_output=True)

    make("authority")
    make("stranger")
    by_it = ("-CA", "authority.pem", "-CAkey", "authority.key")
    make("here", *by_it, "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost")
    make("elsewhere", *by_it, "-addext", "subjectAltName=DNS:redis.example.org")
    make("client", *by_it)
    return folder


@pytest.fixture(scope="module")
def start(keys: Path) -> Iterator[Callable[..., int]]:
    """Start a server with one of the certificates; give the port at which it speaks TLS."""
    servers: list[Redis] = []

    def start(certificate: str = "here", *, clients: str = "no") -> int:
        port = free_port()
        config: dict[str, str | int] = {
            "tls-port": port,
            "tls-cert-file": str(keys / f"{certificate}.pem"),
            "tls-key-file": str(keys / f"{certificate}.key"),
            "tls-ca-cert-file": str(keys / "authority.pem"),
            "tls-auth-clients": clients,
        }
        with skip_without_program():
            servers.append(Redis(config=config))
        return port

    yield start
    for server in servers:
        server.close()


@pytest.fixture(scope="module")
def here(start: Callable[..., int]) -> int:
    """The port of a server that takes everybody."""
    return start()


def options(port: int, **tls: str) -> RedisOptions:
    lease = timedelta(seconds=2)
    return RedisOptions(host="127.0.0.1", port=port, lease=lease, timeout=lease, tls=Tls(**tls))


def goes_round(given: RedisOptions) -> None:
    with Broker(REDIS, given, "rediss") as broker:
        channel = broker.channel()
        declare(channel)
        inbox = Inbox(channel)
        send(broker.channel(), "one")
        inbox.wait(1)
        channel.basic_ack(inbox.messages[0].delivery_tag)
        channel.queue_delete("q")


def refused(given: RedisOptions, protocol: str = "rediss") -> str:
    with (
        Broker(REDIS, given, protocol) as broker,
        pytest.raises((RecoverableConnectionError, BrokerError)) as error,
    ):
        broker.channel()
    return str(error.value)


def test_a_facility_names_its_own_authority(here: int, keys: Path) -> None:
    goes_round(options(here, ca_file=str(keys / "authority.pem")))


@pytest.mark.parametrize("authority", [None, "stranger"])
def test_a_server_that_nobody_vouches_for_is_refused(here: int, keys: Path, authority: str | None) -> None:
    tls: dict[str, Any] = {} if authority is None else {"ca_file": str(keys / f"{authority}.pem")}
    said = refused(options(here, **tls))
    assert "certificate verify failed" in said.lower()
    assert f"rediss://127.0.0.1:{here}" in said


def test_a_server_with_the_certificate_of_another_host_is_refused(
    start: Callable[..., int], keys: Path
) -> None:
    said = refused(options(start("elsewhere"), ca_file=str(keys / "authority.pem")))
    assert "certificate is not valid for '127.0.0.1'" in said


def test_a_server_that_wants_a_certificate_gets_ours(start: Callable[..., int], keys: Path) -> None:
    port, ca = start(clients="yes"), str(keys / "authority.pem")
    goes_round(
        options(
            port,
            ca_file=ca,
            certificate_file=str(keys / "client.pem"),
            key_file=str(keys / "client.key"),
        )
    )
    assert "wants a certificate: 'tls.certificateFile'" in refused(options(port, ca_file=ca))


def test_files_that_are_not_there_are_named(here: int, keys: Path) -> None:
    ca = str(keys / "authority.pem")
    assert refused(options(here, ca_file="/nowhere.pem")).startswith(
        "/nowhere.pem of 'tls' cannot be read: No"
    )
    assert "/mine.pem" in refused(options(here, ca_file=ca, certificate_file="/mine.pem", key_file=ca))


def test_who_speaks_plainly_to_a_server_with_tls_is_told_no_more_than_that_it_went_away(here: int) -> None:
    assert f"redis://127.0.0.1:{here}" in refused(options(here), "redis")
