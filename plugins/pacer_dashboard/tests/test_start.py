"""Several processes begin at once, as pods of a Deployment do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from click.testing import CliRunner
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from pacer_core import PacerError
from pacer_dashboard.commands import dashboard
from pacer_dashboard.place import Place
from pacer_dashboard.start import migrate, prepare
from pacer_dashboard.testing_site import free_port
from pacer_dashboard.upkeep.months import ensure
from plugins.pacer_dashboard.tests.conftest import create_database


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_tables_are_made_once_by_whoever_is_first(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    place = Place(folder=tmp_path / "dashboard")
    if kind == "postgresql":
        place = Place(url=create_database(request.getfixturevalue("postgresql")))
    prepare(place)
    together = Barrier(2)

    def begin(_: int) -> int:
        try:
            together.wait()
            migrate()
            return ensure(1)[0]
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        made = [*pool.map(begin, range(2))]
    assert sorted(made)[0] == 0
    assert kind == "sqlite" or sorted(made)[1] > 0
    applied = MigrationRecorder.Migration.objects.values_list("app", "name")
    assert len({*applied}) == len(applied) > 20
    connection.close()


def test_a_command_says_in_a_line_that_the_database_is_away() -> None:
    away = {"PACER_DASHBOARD_DATABASE": f"postgresql://me:s3cret@127.0.0.1:{free_port()}/dashboard"}
    for command in (["migrate"], ["user", "role", "ada"]):
        done = CliRunner().invoke(dashboard, command, env=away)
        assert isinstance(done.exception, PacerError)
        assert "refused" in str(done.exception)
        assert "s3cret" not in str(done.exception)
        assert "\n" not in str(done.exception)
    connection.close()
