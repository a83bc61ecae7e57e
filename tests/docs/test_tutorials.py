"""The tutorials, followed to the letter."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from tests.docs.pages import ROOT
from tests.docs.reader import Reader
from tests.services import RabbitMQ

TUTORIALS = ROOT / "docs" / "tutorials"


def test_the_first_plugin_can_be_written_from_its_tutorial_alone(
    tmp_path: Path, rabbitmq: RabbitMQ, rabbitmq_vhost: str
) -> None:
    real = f"host: 127.0.0.1, port: {rabbitmq.port}, vHost: {rabbitmq_vhost}"
    changes = {
        "main: {host: localhost}": f"main: {{{real}}}",
        "amqp://localhost:5672/": f"amqp://127.0.0.1:{rabbitmq.port}/{rabbitmq_vhost}",
        'Connection("amqp://localhost")': f'Connection("{rabbitmq.url(rabbitmq_vhost)}")',
    }
    with Reader(tmp_path, changes) as reader:
        reader.read(TUTORIALS / "first-plugin.md")
        with closing(sqlite3.connect(reader.folder / "parcels.db")) as db:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                rows = db.execute("SELECT * FROM parcels ORDER BY proposal").fetchall()
                if len(rows) == 2:
                    break
                time.sleep(0.05)
        assert rows == [("2025-0042", 3), ("2025-0043", 2)]
        assert reader.stop() == [0]
