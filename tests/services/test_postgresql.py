"""PostgreSQL, as tests start it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

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


def test_a_folder_that_is_given_is_taken_up_by_the_next_server() -> None:
    with tempfile.TemporaryDirectory() as outer:
        Path(outer).chmod(0o755)  # the server's account has to come through
        folder = Path(outer) / "data"
        with skip_without_program():
            first = PostgreSQL(data=folder)
        with first, psycopg.connect(first.url(), autocommit=True) as connection:
            connection.execute("CREATE TABLE one (number int)")
            connection.close()
            first.stop()
        with PostgreSQL(data=folder) as next_, psycopg.connect(next_.url()) as connection:
            assert connection.execute("SELECT count(*) FROM one").fetchall() == [(0,)]
