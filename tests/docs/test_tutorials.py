"""The tutorials, followed to the letter."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.docs.pages import ROOT
from tests.docs.reader import Reader
from tests.services import RabbitMQ
from tests.services.base import free_port

TUTORIALS = ROOT / "docs" / "tutorials"


def within_a_minute(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def test_the_first_plugin_can_be_written_from_its_tutorial_alone(tmp_path: Path) -> None:
    with Reader(tmp_path) as reader:
        reader.read(TUTORIALS / "first-plugin.md")

        def recorded() -> list[tuple[str, int]]:
            with closing(sqlite3.connect(reader.folder / "parcels.db")) as db:
                return db.execute("SELECT * FROM parcels ORDER BY proposal").fetchall()

        assert within_a_minute(lambda: recorded() == [("2025-0042", 3), ("2025-0043", 2)])
        assert reader.stop() == [0]


def test_the_first_run_goes_as_its_tutorial_says(
    tmp_path: Path, rabbitmq: RabbitMQ, rabbitmq_vhost: str
) -> None:
    port = free_port()
    broker = f"host: 127.0.0.1, port: {rabbitmq.port}, vHost: {rabbitmq_vhost}"
    here = {
        "main: {host: localhost}": f"main: {{{broker}}}",
        "amqp://localhost:5672/": f"amqp://127.0.0.1:{rabbitmq.port}/{rabbitmq_vhost}",
        "--port 8080": f"--port {port}",
        "http://127.0.0.1:8080/": f"http://127.0.0.1:{port}/",
    }
    with Reader(tmp_path, here) as reader:
        reader.read(TUTORIALS / "first-run.md")
        assert within_a_minute(lambda: len(reader.run("python look.py").splitlines()) == 2)
        assert reader.stop() == [0, 0]
