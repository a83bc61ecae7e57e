"""PostgreSQL, as tests start it."""

from __future__ import annotations

import subprocess

import psycopg
import pytest

from tests.services import PostgreSQL
from tests.services.fixtures import skip_without_program


def test_a_server_keeps_its_data_through_a_power_cut() -> None:
    with skip_without_program():
        server = PostgreSQL()
    with server:
        with psycopg.connect(server.url()) as connection:
            connection.execute("CREATE TABLE one (number int)")
            connection.execute("INSERT INTO one VALUES (1)")
        server.kill()
        assert not server.running
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.url())
        server.start()
        with psycopg.connect(server.url()) as connection:
            assert connection.execute("SELECT number FROM one").fetchall() == [(1,)]
        server.restart()
        assert server.running
    assert not server.running
    ps = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert f"-p {server.port}" not in ps.stdout
