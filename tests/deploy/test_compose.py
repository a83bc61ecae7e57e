"""The compose file: its services' commands, in their order and with their variables, do the demo.

There is no engine: each command is a process of this machine, and the names of hosts are its own address.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.chart import loaded
from tests.services import PostgreSQL, RabbitMQ
from tests.services.base import free_port
from tests.support import Site, eventually

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "compose"
MESSAGES = ROOT / "examples" / "messages"
DEMO = ROOT / "examples" / "demo"


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = loaded((FOLDER / "compose.yaml").read_text())["services"]
    return found


def test_what_waits_for_a_healthy_service_finds_one_that_says_so(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        for name, wanted in service.get("depends_on", {}).items():
            if wanted == {"condition": "service_completed_successfully"}:
                assert services[name]["command"] == ["dashboard", "migrate"]  # it ends by itself
            else:
                assert wanted == {"condition": "service_healthy"}
                assert "test" in services[name]["healthcheck"]


def test_what_is_mounted_and_built_is_there(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        for volume in service.get("volumes", ()):
            assert (FOLDER / volume.partition(":")[0]).exists()
        if "build" in service:
            assert (FOLDER / service["build"]["context"]).resolve() == ROOT
            assert (ROOT / service["build"]["dockerfile"]).is_file()


def test_its_configuration_is_the_demos_at_another_broker_and_with_a_dashboard() -> None:
    def shown(folder: Path) -> Any:
        text = (folder / "pacer.yaml").read_text().replace("!env ", "")
        return loaded(text)

    ours, demo = shown(FOLDER), shown(DEMO)
    assert ours.pop("brokers").keys() == demo.pop("brokers").keys()
    assert ours.pop("health") == {"host": "0.0.0.0", "port": 9807}
    of_the_dashboard = [ours["exchanges"].pop(), ours["queues"].pop(), ours["consumers"].pop()]
    assert all("dashboard" in str(one) for one in [*of_the_dashboard, *ours.pop("services")])
    assert [ours["integrations"].pop(name) for name in ("dashboard", "dashboard-store")] == [
        {"format": "json"}, {},
    ]  # fmt: skip
    ours["consumers"][0]["integrations"].remove("dashboard")
    assert ours == demo


def test_its_messages_are_the_demos(services: dict[str, dict[str, Any]]) -> None:
    command, consumer, *files = services["send"]["command"]
    assert (command, consumer) == ("send", "--consumer=datasets")
    assert {Path(one).name for one in files} == {one.name for one in MESSAGES.iterdir()}


def test_its_commands_do_the_demo(
    services: dict[str, dict[str, Any]],
    site: Site,
    rabbitmq: RabbitMQ,
    postgresql: PostgreSQL,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = services["rabbitmq"]["environment"]
    user, password = account["RABBITMQ_DEFAULT_USER"], account["RABBITMQ_DEFAULT_PASS"]
    vhost = rabbitmq.new_vhost()
    icat, health, pages = free_port(), free_port(), free_port()
    common = services["pacer"]["environment"]
    assert common == services["send"]["environment"] == services["tables"]["environment"]
    for name, value in {**common, **services["dashboard"]["environment"]}.items():
        monkeypatch.setenv(name, value)
    assert {**services["dashboard"]["environment"], **common} == services["dashboard"]["environment"]
    monkeypatch.setenv("BROKER_HOST", "127.0.0.1")
    monkeypatch.setenv("BROKER_PORT", str(rabbitmq.port))
    monkeypatch.setenv("DEMO_ICAT_URL", f"http://127.0.0.1:{icat}")
    text = (FOLDER / "pacer.yaml").read_text().replace("port: 9807", f"port: {health}")
    config = site.write(text.replace("    port: !env", f"    vHost: {vhost}\n    port: !env"))
    monkeypatch.setenv("PACER_CONFIG", str(config))
    database = database_of(postgresql, services["postgresql"]["environment"], monkeypatch)

    rabbitmq.ctl("add_user", user, password)
    try:
        rabbitmq.ctl("set_permissions", "-p", vhost, user, ".*", ".*", ".*")
        site.start(*("127.0.0.1" if one == "0.0.0.0" else one.replace("8080", str(icat))
                     for one in services["icat"]["command"]))  # fmt: skip
        livez = services["icat"]["environment"]["PACER_LIVEZ"].replace("8080", str(icat))
        eventually(lambda: answers(livez), 60)
        tables = site.start(*services["tables"]["command"])
        assert tables.process.wait(120) == 0, tables.printed
        dashboard = site.start(*("127.0.0.1" if one == "0.0.0.0" else one.replace("8000", str(pages))
                                 for one in services["dashboard"]["command"]))  # fmt: skip
        pacer = site.start(*services["pacer"]["command"])
        eventually(lambda: answers(f"http://127.0.0.1:{health}/readyz"), 120, lambda: pacer.printed)
        sent = site.pacer(*(one.replace("/messages", str(MESSAGES)) for one in services["send"]["command"]))
        assert sent.code == 0, sent.both
        eventually(lambda: stored(database) == {"acked": 3, "dead": 2}, 120, lambda: pacer.printed)
        assert dead(site) == 2
        assert handled(health) == {"acked": 3, "dead": 2}
        livez = services["dashboard"]["environment"]["PACER_LIVEZ"].replace("8000", str(pages))
        for path in ("status", "ready", "login"):
            url = livez.replace("status", path)
            eventually(partial(answers, url), 120, lambda: dashboard.printed)
        assert pacer.end(90) == 0, pacer.printed
    finally:
        rabbitmq.ctl("delete_user", user)
        rabbitmq.delete_vhost(vhost)


def answers(url: str) -> bool:
    try:
        urlopen(url, timeout=5).close()
    except OSError:
        return False
    return True


def database_of(server: PostgreSQL, account: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """Make the database of the compose file's service, and let variables lead there; give its address."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        name = f"{account['POSTGRES_DB']}_compose"
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
        user = connection.info.user
    for variable, value in {"HOST": "127.0.0.1", "PORT": str(server.port), "DB": name, "USER": user}.items():
        monkeypatch.setenv(f"POSTGRES_{variable}", value)
    return server.url(name)


def stored(database: str) -> dict[str, int]:
    """Give how many messages the dashboard knows, by how they stand."""
    with psycopg.connect(database) as connection:
        found = connection.execute("SELECT state, count(*) FROM pacer_dashboard_message GROUP BY state")
        return dict(found.fetchall())


def dead(site: Site) -> int:
    return len(json.loads(site.pacer("dead", "list", "--json").out)["letters"])


def handled(port: int) -> dict[str, float]:
    """Give how many messages of datasets came to which end."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    (family,) = (one for one in text_string_to_metric_families(text) if one.name == "pacer_messages")
    return {
        one.labels["outcome"]: one.value
        for one in family.samples
        if one.name == "pacer_messages_total" and one.value and one.labels["consumer"] == "datasets"
    }
