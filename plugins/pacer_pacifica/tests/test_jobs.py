"""The job database, on SQLite and on PostgreSQL."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from functools import partial
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text

from pacer_core import Secret
from pacer_pacifica.jobs import (
    FILE,
    INGEST_FILES,
    INGEST_METADATA,
    LOAD_METADATA,
    OPEN_TAR,
    UPLOAD,
    Database,
    DatabaseError,
    FileNumbers,
    Jobs,
    NoSuchJob,
    Outbox,
    Over,
    OwnIds,
    tables,
)

Open = Callable[[], Database]


@pytest.fixture(params=["sqlite", "postgresql"])
def open_(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Open a database of this test's own, as often as it likes."""
    if request.param == "sqlite":
        address = str(tmp_path / "jobs.sqlite")
    else:
        server = request.getfixturevalue("postgresql")
        name = f"jobs_{uuid4().hex[:8]}"
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        address = f"postgresql://pacer@127.0.0.1:{server.port}/{name}"
    opened: list[Database] = []

    def open_() -> Database:
        opened.append(Database(address, Secret("not-asked-for") if "://" in address else None))
        return opened[-1]

    yield open_
    for database in opened:
        database.close()


def create(database: Database, count: int = 1) -> Jobs:
    """Make some jobs."""
    jobs, ids = Jobs(database), OwnIds(database)
    for _ in range(count):
        jobs.create(ids.take("upload_job", 1), UPLOAD, name=uuid4().hex, user="alice", size=1)
    return jobs


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
def test_a_text_that_a_database_does_not_take_still_ends_a_job(open_: Open, text: str) -> None:
    jobs = create(open_())
    jobs.begin(1, 1, OPEN_TAR)
    jobs.wait(1, 1, OPEN_TAR, text)
    assert len(jobs.get(1).waits_for) == 3
    jobs.fail(1, 1, OPEN_TAR, text)
    assert (jobs.get(1).status, len(jobs.get(1).exception)) == ("failed", 3)
    assert len(jobs.stages(1)[0].exception) == 3
    jobs.retry(1)
    assert len(jobs.cancel(1, text).exception) == len("cancelled by ") + 3
    assert jobs.find(user=text) == []


def test_a_job_goes_through_its_stages(open_: Open) -> None:
    jobs = create(open_())
    assert (jobs.get(1).status, jobs.get(1).created.utcoffset()) == (
        "waiting",
        jobs.get(1).updated.utcoffset(),
    )
    jobs.begin(1, 1, OPEN_TAR)
    jobs.progress(1, 1, OPEN_TAR, 12.5)
    assert (jobs.get(1).status, jobs.get(1).task, jobs.get(1).percent) == ("working", OPEN_TAR, 12.5)
    jobs.begin(1, 1, INGEST_FILES)
    jobs.wait(1, 1, INGEST_FILES, "the archive is away")
    assert jobs.get(1).waits_for == "the archive is away"
    jobs.begin(1, 1, INGEST_METADATA)
    jobs.finish(1, 1)
    job = jobs.get(1)
    assert (job.status, job.complete, job.waits_for, job.revision) == ("done", True, "", 7)


def test_whoever_comes_too_late_is_told(open_: Open) -> None:
    jobs = create(open_(), 4)
    jobs.finish(1, 1)
    jobs.cancel(2, "alice")
    jobs.fail(3, 1, OPEN_TAR, "no tar")
    jobs.retry(3)
    for job_id, said in [
        (1, "job 1 is done"),
        (2, "job 2 is cancelled"),
        (3, "attempt 1 at job 3 is over: attempt 2 has begun"),
        (99, "job 99 is not in the database any more"),
    ]:
        acts: list[Callable[[], None]] = [
            partial(jobs.begin, job_id, 1, OPEN_TAR),
            partial(jobs.progress, job_id, 1, OPEN_TAR, 5),
            partial(jobs.finish, job_id, 1),
            partial(jobs.wait, job_id, 1, OPEN_TAR, "x"),
            partial(jobs.fail, job_id, 1, OPEN_TAR, "x"),
        ]
        for act in acts:
            with pytest.raises(Over, match=f"^{said}$"):
                act()
    assert jobs.stages(1) == jobs.stages(2) == []


def test_a_job_that_failed_goes_on_where_its_message_is_replayed(open_: Open) -> None:
    jobs = create(open_())
    jobs.begin(1, 1, OPEN_TAR)
    jobs.fail(1, 1, OPEN_TAR, "no tar")
    jobs.begin(1, 1, OPEN_TAR)
    job = jobs.get(1)
    assert (job.state, job.complete, job.exception) == ("OK", False, "")
    assert [stage.tries for stage in jobs.stages(1)] == [2]


def test_only_what_has_ended_badly_is_tried_again(open_: Open) -> None:
    jobs = create(open_(), 3)
    jobs.finish(1, 1)
    with pytest.raises(Over, match="job 1 cannot be tried again: it is done"):
        jobs.retry(1)
    with pytest.raises(Over, match="job 2 cannot be tried again: it is waiting"):
        jobs.retry(2)
    with pytest.raises(NoSuchJob, match="job ID 99 does not exist"):
        jobs.retry(99)
    jobs.cancel(3, "alice")
    assert (jobs.retry(3).attempt, jobs.get(3).status) == (2, "waiting")


def test_an_administrator_sets_what_a_job_says(open_: Open) -> None:
    jobs = create(open_())
    assert jobs.override(1, {"task": INGEST_METADATA, "percent": 100.0}).status == "done"
    assert jobs.override(1, {"state": "FAILED", "exception": "by hand"}).status == "failed"
    assert jobs.override(1, {"state": "OK", "percent": 50.0}).complete is False
    with pytest.raises(NoSuchJob):
        jobs.override(2, {"state": "OK"})


def test_a_process_that_comes_and_goes_does_not_take_what_another_one_writes(tmp_path: Path) -> None:
    """SQLite removes its log when the last one closes; who has it open is known by POSIX locks alone."""
    path = f"{tmp_path}/jobs.sqlite"
    with (
        closing(Database(path)) as first,
        closing(Database(path)),
    ):  # the service and a worker, in one process
        jobs = create(first)
        look = (
            "import sys; from pacer_pacifica.jobs import Database, Jobs; database = Database(sys.argv[1]); "
            "print(len(Jobs(database).find())); database.close()"
        )
        for expected in ("1", "2"):
            ran = subprocess.run([sys.executable, "-c", look, path], capture_output=True, text=True)
            assert (ran.returncode, ran.stdout.strip()) == (0, expected), ran.stderr
            if expected == "1":
                create(first)
        assert len(jobs.find()) == 2


def test_a_writer_waits_for_another_process_and_no_longer_than_it_has_patience(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "jobs.sqlite"
    with closing(Database(str(path))) as database, closing(sqlite3.connect(path)) as other:
        ids = OwnIds(database)
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(ids.take, FILE, 1)
            assert not wait([waiting], 0.3).done
            other.execute("COMMIT")
            assert waiting.result() == 1
        other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr("pacer_pacifica.jobs.driver.PATIENCE", 0.2)
        with pytest.raises(DatabaseError, match="database is locked"):
            ids.take(FILE, 1)
        other.execute("COMMIT")
        assert ids.take(FILE, 1) == 2


def test_what_is_kept_first_stays(open_: Open) -> None:
    jobs = create(open_())
    assert jobs.kept(1, "files") is None
    assert jobs.keep(1, "files", {"first": 7, "ä": [1]}) == {"first": 7, "ä": [1]}
    assert jobs.keep(1, "files", {"first": 8}) == {"first": 7, "ä": [1]}
    assert jobs.kept(1, "files") == {"first": 7, "ä": [1]}


def test_numbers_are_given_once_to_whoever_asks_at_the_same_time(open_: Open) -> None:
    database = open_()
    taken: list[range] = []

    def take() -> None:
        ids = OwnIds(database)
        for _ in range(25):
            first = ids.take("file", 3)
            taken.append(range(first, first + 3))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(number for one in taken for number in one) == list(range(1, 301))


def test_numbers_of_files_are_drawn_many_at_a_time_and_given_once_in_rows(open_: Open) -> None:
    drawn: list[int] = []

    class Counting(OwnIds):
        def take(self, mode: str, count: int) -> int:
            drawn.append(count)
            return super().take(mode, count)

    numbers, taken = FileNumbers(Counting(open_())), list[range]()

    def take() -> None:
        for count in (3, 60, 1, 250, 99) * 5:
            first = numbers.take(count)
            taken.append(range(first, first + count))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    given = [number for one in taken for number in one]
    assert (len(taken), len(given)) == (100, len(set(given)))
    assert set(drawn) == {100, 250}
    assert len(drawn) < 100


def test_the_stages_before_one_that_begins_have_ended_and_no_other(open_: Open) -> None:
    jobs = create(open_())
    for task in (OPEN_TAR, LOAD_METADATA, INGEST_FILES):
        jobs.begin(1, 1, task)
    jobs.wait(1, 1, INGEST_FILES, "the archive is away")

    def percents() -> dict[str, tuple[float, bool]]:
        return {stage.task: (stage.percent, stage.ended is not None) for stage in jobs.stages(1)}

    assert percents() == {OPEN_TAR: (100, True), LOAD_METADATA: (100, True), INGEST_FILES: (0, False)}
    ended = jobs.stages(1)[0].ended
    jobs.begin(1, 1, LOAD_METADATA)  # the message was sent again
    assert percents() == {OPEN_TAR: (100, True), LOAD_METADATA: (0, False), INGEST_FILES: (0, False)}
    assert jobs.stages(1)[0].ended == ended
    assert jobs.begin(1, 1, INGEST_METADATA, "files") is None
    jobs.keep(1, "files", {"first": 7})
    assert jobs.begin(1, 1, INGEST_METADATA, "files") == {"first": 7}
    jobs.finish(1, 1)
    assert set(percents().values()) == {(100, True)}


def test_an_outbox_holds_what_is_not_published(open_: Open) -> None:
    database = open_()
    jobs, outbox = create(database, 3), Outbox(database)
    first, second, third = outbox.unpublished()
    outbox.published(second)
    jobs.cancel(third.id, "alice")
    assert [job.id for job in outbox.unpublished()] == [first.id]
    jobs.fail(second.id, 1, None, "x")
    jobs.retry(second.id)
    outbox.published(second)  # of the earlier attempt: says nothing about this one
    assert [(job.id, job.attempt) for job in outbox.unpublished()] == [(first.id, 1), (second.id, 2)]
    assert set(outbox.of([first.name, second.name, "none"])) == {first.name, second.name}
    assert outbox.of([]) == {}


def test_several_who_open_a_new_database_at_once_make_it_once(open_: Open) -> None:
    failures: list[Exception] = []

    def work() -> None:
        try:
            create(open_())
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [job.id for job in Jobs(open_()).find()] == [6, 5, 4, 3, 2, 1]


def test_a_database_of_an_earlier_version_is_brought_up(open_: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    create(open_())
    monkeypatch.setattr(tables, "VERSION", 2)
    monkeypatch.setattr("pacer_pacifica.jobs.database.VERSION", 2)
    added = ("ALTER TABLE pacifica_job ADD COLUMN note TEXT NOT NULL DEFAULT ''",)
    monkeypatch.setitem(tables.MIGRATIONS, 2, added)
    for _ in range(2):
        with open_().reading() as connection:
            assert connection.execute(text("SELECT note FROM pacifica_job")).scalar_one() == ""
            assert connection.execute(text("SELECT version FROM pacifica_version")).scalar_one() == 2


def test_a_database_of_a_later_version_is_refused(open_: Open) -> None:
    with open_().writing() as connection:
        connection.execute(text("UPDATE pacifica_version SET version = 99"))
    with pytest.raises(
        DatabaseError, match="is of version 99, and this PACER knows 1: update pacer-pacifica"
    ):
        open_()


def test_a_database_that_is_away_is_said_so_without_its_password() -> None:
    address = "postgresql://pacer@127.0.0.1:1/jobs"
    with pytest.raises(DatabaseError, match=re.escape(f"the job database {address}: ")) as raised:
        Database(address, Secret("a-very-secret-password"))
    assert "a-very-secret-password" not in str(raised.value)


def test_a_request_to_a_postgresql_whose_host_is_gone_ends(open_: Open) -> None:
    database = open_()
    if "://" not in database.address:
        pytest.skip("of PostgreSQL alone")
    with database.reading() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        given = driver.info.get_parameters()
    assert (given["tcp_user_timeout"], given["keepalives_idle"]) == ("30000", "30")


def test_a_file_that_is_no_database_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "jobs.sqlite").write_bytes(b"no database, but long enough to be looked at" * 100)
    with pytest.raises(DatabaseError, match="not a database"):
        Database(str(tmp_path / "jobs.sqlite"))


def test_a_database_that_answers_again_is_used_again(open_: Open, caplog: pytest.LogCaptureFixture) -> None:
    database = open_()
    if "://" not in database.address:
        pytest.skip("of PostgreSQL alone")
    jobs = create(database)
    with closing(open_()) as other:
        jobs.begin(1, 1, OPEN_TAR)
        _end_connections(other)
        assert jobs.get(1).id == 1
        _end_connections(other)
        jobs.begin(1, 1, LOAD_METADATA)
        with pytest.raises(DatabaseError, match="terminating connection"):
            _lose_a_transaction(database, other)
        jobs.finish(1, 1)
    assert not caplog.records, "a lost connection is not told by the pool as well"


def _end_connections(database: Database) -> None:
    """End all connections to a database but the one that says so."""
    others = "pid <> pg_backend_pid() AND datname = current_database()"
    with database.writing() as connection:
        connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))


def _lose_a_transaction(database: Database, other: Database) -> None:
    with database.at_once() as driver:
        _end_connections(other)
        driver.run("SELECT 1", {})
