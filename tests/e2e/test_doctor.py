"""``pacer doctor``: what stands around PACER, and what to do where it does not stand."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pacer_core.config import load
from pacer_core.transport.connection import connect
from pacer_core.transport.topology import declare
from pacer_http.testing import Reply, StandIn
from pacer_sandbox import IcatSandbox
from tests.services import RabbitMQ
from tests.services.base import free_port, program
from tests.services.fixtures import skip_without_program
from tests.support import Ran, Site

CONFIG = """
    brokers:
      main: {{host: 127.0.0.1, port: {port}, username: {user}, password: !env BROKER_SECRET, vHost: {vhost}}}
    exchanges: [{{name: ingest}}]
    queues: [{{name: datasets, exchange: ingest, type: {type}}}]
    integrations:
      icat: {{url: "{icat}", {facility} authenticator: simple, username: root, password: !env ICAT_SECRET}}
      dashboard: {{}}
    consumers:
      - {{type: datasets, queues: [datasets], integrations: [icat, dashboard],
         options: {{allowedRoots: [/]}}}}
"""
Doctor = Callable[..., Ran]


@pytest.fixture
def doctor(
    site: Site,
    rabbitmq: RabbitMQ,
    rabbitmq_vhost: str,
    icat_server: IcatSandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> Doctor:
    """Run it on a facility in which something may be wrong."""

    def doctor(
        *more: str, text: str = "", broker_secret: str = "guest", icat_secret: str = "secret", **changes: Any
    ) -> Ran:
        monkeypatch.setenv("BROKER_SECRET", broker_secret)
        monkeypatch.setenv("ICAT_SECRET", icat_secret)
        well: dict[str, Any] = {
            "port": rabbitmq.port,
            "user": "guest",
            "vhost": rabbitmq_vhost,
            "type": "quorum",
        }
        well |= {"icat": icat_server.url, "facility": ""}
        file = site.write(CONFIG.format(**{**well, **changes}) + text)
        return site.pacer("doctor", "-c", file, *more)

    return doctor


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port at which somebody listens who never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def findings(ran: Ran) -> dict[str, Any]:
    return {one["name"]: one for one in json.loads(ran.out)["findings"]}


def test_a_facility_that_is_well_is_said_to_be(doctor: Doctor, site: Site) -> None:
    ran = doctor()
    assert (ran.code, ran.err) == (0, "")
    assert "not declared yet, `pacer run` does: datasets" in ran.out
    assert "all 3 are well" in ran.out
    config = load(site.folder / "pacer.yaml")
    with closing(connect(config.broker, "test")) as connection:
        declare(connection, config)
    found = json.loads(doctor("--json").out)
    assert (found["version"], found["well"]) == (1, True)
    assert [(one["kind"], one["name"], one["well"], one["users"]) for one in found["findings"]] == [
        ("broker", "main", True, ["datasets"]),
        ("integration", "icat", True, ["datasets"]),
        ("integration", "dashboard", True, ["datasets"]),
    ]
    assert found["findings"][0]["detail"].startswith("RabbitMQ ")
    assert "not declared" not in found["findings"][0]["detail"]


def test_a_consumer_that_would_take_any_path_is_warned_of(doctor: Doctor, site: Site) -> None:
    doctor()
    file = site.folder / "pacer.yaml"
    file.write_text(file.read_text().replace("allowedRoots: [/]", ""))
    ran = site.pacer("doctor", "-c", file)
    assert ran.code == 0, ran.out
    assert "consumer datasets, a warning: allowedRoots is missing" in " ".join(ran.out.split())
    warned = site.pacer("run", "-c", file, "--once")
    assert warned.err.count("consumer datasets: allowedRoots is missing") == 1


def test_looking_leaves_a_broker_as_it_was(doctor: Doctor, rabbitmq: RabbitMQ, rabbitmq_vhost: str) -> None:
    assert doctor().code == 0
    assert rabbitmq.ctl("list_queues", "-p", rabbitmq_vhost, "name") in ("", "name\n")


def test_each_failure_comes_with_what_to_do_about_it_and_without_secrets(
    doctor: Doctor, rabbitmq_vhost: str
) -> None:
    nowhere = free_port()
    cases: dict[str, tuple[str, dict[str, Any]]] = {
        "correct username and password of brokers.main": ("main", {"broker_secret": "wrong-secret"}),
        "correct vHost of brokers.main, or at the broker: rabbitmqctl add_vhost nope": (
            "main",
            {"vhost": "nope"},
        ),
        "see that it runs and that this machine reaches it (name, port, firewall)": (
            "main",
            {"port": nowhere},
        ),
        "account in integrations.icat in": ("icat", {"icat_secret": "wrong-secret"}),
        "see that it runs": ("icat", {"icat": f"http://127.0.0.1:{nowhere}"}),
    }
    for advice, (name, changes) in cases.items():
        ran = doctor("--json", **changes)
        assert ran.code == 69
        assert advice in findings(ran)[name]["advice"]
        others = [one["well"] for one in findings(ran).values() if one["name"] != name]
        assert others == [True, True]
        shown = doctor(**changes)
        assert shown.code == 69
        assert "1 of 3 fail" in shown.out
        assert f"{name} (needed by datasets): " in shown.out
        assert "wrong-secret" not in ran.both + shown.both


@pytest.mark.parametrize("status", [200, 301, 302, 404])
def test_an_address_that_is_not_the_one_is_named_with_its_option(doctor: Doctor, status: int) -> None:
    page = Reply(b"<html><body>Not here</body></html>", status, {"Content-Type": "text/html"})
    with StandIn(lambda _: page) as stranger:
        found = findings(doctor("--json", icat=stranger.url))["icat"]
        assert f"{stranger.url}/ICATService/ICAT: HTTP status {status}" in found["detail"]
    assert "'url' has to be the server's root" in found["detail"]
    assert "see that it runs" in found["advice"]


def test_what_an_icat_lacks_is_named_with_what_to_do(doctor: Doctor) -> None:
    found = findings(doctor("--json", facility="facility: ALBQ,"))["icat"]
    assert found["detail"].startswith("ICAT has no facility 'ALBQ'; it has 'ALBA'")
    assert "correct 'facility'" in found["advice"]
    assert "integrations.icat in" in found["advice"]
    well = findings(doctor("--json"))["icat"]
    assert "facility 'ALBA'" in well["detail"]
    assert "no dataset has files yet" in well["detail"]


def test_what_does_not_answer_holds_up_nothing(doctor: Doctor, deaf: int) -> None:
    found = findings(doctor("--json", "--timeout", "4", port=deaf, icat=f"http://127.0.0.1:{deaf}"))
    for name in ("main", "icat"):
        assert found[name]["detail"] == "it did not answer in time: 4 s"
        assert "see that it runs" in found[name]["advice"]
    assert found["dashboard"]["well"]


def test_a_certificate_that_nobody_vouches_for_is_told_by_its_name(doctor: Doctor, tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    made = ("-keyout", str(key), "-out", str(certificate))
    with skip_without_program():
        openssl = program("openssl", package="openssl")
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *made],
        check=True,
        capture_output=True,
    )
    with StandIn(lambda _: Reply(), certificate=(certificate, key)) as stranger:
        port = stranger.url.rpartition(":")[2]
        found = findings(doctor("--json", port=f"{port}, protocol: amqps", icat=stranger.url))
    for name in ("main", "icat"):
        assert "certificate verify failed" in found[name]["detail"]
    assert (
        "give the authority of the broker's certificate as tls.caFile of brokers.main"
        in found["main"]["advice"]
    )
    assert "certificates and account in integrations.icat" in found["icat"]["advice"]


def test_queues_and_exchanges_that_are_not_as_they_should_be_are_named(
    doctor: Doctor, site: Site, rabbitmq: RabbitMQ, rabbitmq_vhost: str
) -> None:
    assert doctor().code == 0
    config = load(site.folder / "pacer.yaml")
    with closing(connect(config.broker, "test")) as connection:
        declare(connection, config)
    found = findings(doctor("--json", type="classic"))["main"]
    assert "queue 'datasets' exists with other arguments" in found["detail"]
    assert "{name: datasets, declare: passive}" in found["advice"]

    text = (site.folder / "pacer.yaml").read_text().replace("type: classic", "type: quorum")
    text = text.replace("{name: ingest}", "{name: ingest}, {name: theirs, declare: passive}")
    text = text.replace("queues: [{", "queues: [{name: parcels, declare: passive}, {", 1)
    text = text.replace("queues: [datasets]", "queues: [datasets, parcels]")
    ran = site.pacer("doctor", "--json", "-c", site.write(text))
    detail = findings(ran)["main"]["detail"]
    assert "there is no queue 'parcels', which somebody else should have declared" in detail
    assert "there is no exchange 'theirs', which somebody else should have declared" in detail


def test_an_account_without_rights_is_told_which_it_needs(
    doctor: Doctor, site: Site, rabbitmq: RabbitMQ, rabbitmq_vhost: str
) -> None:
    assert doctor().code == 0
    config = load(site.folder / "pacer.yaml")
    with closing(connect(config.broker, "test")) as connection:
        declare(connection, config)
    rabbitmq.ctl("add_user", "weak", "feeble")
    try:
        rabbitmq.ctl("set_permissions", "-p", rabbitmq_vhost, "weak", "^$", "^$", ".*")
        found = findings(doctor("--json", user="weak", broker_secret="feeble"))["main"]
    finally:
        rabbitmq.ctl("delete_user", "weak")
    assert "account 'weak' may not declare queue 'datasets'" in found["detail"]
    assert "account 'weak' may not publish to the default exchange" in found["detail"]
    assert f"rabbitmqctl set_permissions -p {rabbitmq_vhost} weak" in found["advice"]


def test_a_recipient_needs_the_exchange_that_is_forwarded_to(
    doctor: Doctor, site: Site, rabbitmq: RabbitMQ, rabbitmq_vhost: str
) -> None:
    assert doctor().code == 0
    institute = {
        "name": "institute",
        "host": "127.0.0.1",
        "port": rabbitmq.port,
        "vHost": rabbitmq_vhost,
        "forwardingRules": [{"fromExchange": "ingest"}],
    }
    text = (site.folder / "pacer.yaml").read_text()
    file = site.write(text.replace("exchanges:", f"  recipients: {json.dumps([institute])}\nexchanges:", 1))
    found = findings(site.pacer("doctor", "--json", "-c", file))
    assert found["institute"]["detail"] == "there is no exchange 'ingest', to which messages are forwarded"
    assert found["main"]["well"]


def test_a_configuration_with_errors_is_not_tried(site: Site) -> None:
    file: Path = site.write("brokers: {main: {hots: x}}\n")
    ran = site.pacer("doctor", "-c", file)
    assert ran.code == 78
    assert "hots" in ran.err


def test_the_first_of_many_consumers_that_need_something_are_named(site: Site) -> None:
    names = [f"mail-{number}" for number in range(6)]
    consumers = [{"type": "forward", "name": name, "queues": [name]} for name in names]
    config = {
        "brokers": {"main": {"host": "127.0.0.1", "port": free_port()}},
        "queues": [{"name": name} for name in names],
        "consumers": consumers,
    }
    file = site.write(json.dumps(config))
    ran = site.pacer("doctor", "-c", file)
    assert ran.code == 69
    assert "broker main (needed by mail-0, mail-1, mail-2 and 3 others): " in ran.out
