"""What happens to the embedded broker's file while it is in use."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from amqp import Message
from amqp.exceptions import RecoverableConnectionError
from kombu import Connection

from pacer_embedded import register
from pacer_embedded.store import Place, Store
from pacer_embedded.watch import Watch
from tests.support import eventually

FAILURES: list[Exception] = [
    sqlite3.OperationalError("disk I/O error"),
    RecoverableConnectionError("the broker failed"),
    OSError(24, "Too many open files"),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    register()
    return tmp_path / "broker.sqlite"


def connected(file: Path) -> Any:
    connection = Connection(f"pacer+sqlite:///{file}")
    connection.connect()
    return connection


def move(new: Path, old: Path) -> None:
    """Put a file in the place of another one, with what SQLite keeps beside it."""
    for ending in ("-wal", "-shm"):
        old.with_name(f"{old.name}{ending}").unlink(missing_ok=True)
    new.replace(old)


def publish(connection: Any, body: str) -> None:
    channel = connection.channel()
    channel.queue_declare("jobs", durable=True, auto_delete=False)
    channel.basic_publish(Message(body.encode()), routing_key="jobs")
    channel.close()


def taken(connection: Any) -> bytes | None:
    channel = connection.channel()
    message = channel.basic_get("jobs", no_ack=True)
    channel.close()
    return None if message is None else bytes(message.body)


@pytest.mark.parametrize("error", FAILURES, ids=[type(one).__name__ for one in FAILURES])
@pytest.mark.parametrize("where", ["version", "dead"])
def test_the_watch_survives_every_failure(
    file: Path, monkeypatch: pytest.MonkeyPatch, where: str, error: Exception
) -> None:
    store = Store(Place(str(file)))
    failures: list[Exception] = []

    def fails(_: Store) -> Any:
        failures.append(error)
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(Store, where, fails)
        watch = Watch(store)
        eventually(lambda: len(failures) > 2)
    try:
        asked: list[float] = []
        monkeypatch.setattr(watch, "_expire", lambda: asked.append(time.time()))
        watch.falls_due(int(time.time() * 1000))
        eventually(lambda: asked)
    finally:
        watch.stop()
        store.close()


def test_a_handle_that_fails_says_so_as_a_lost_connection(file: Path) -> None:
    store = Store(Place(str(file)))
    store.close()
    for look in (store.version, store.dead):
        with pytest.raises(RecoverableConnectionError):
            look()


@pytest.mark.parametrize("how", ["replaced", "removed", "removed with its lock"])
def test_a_file_that_is_replaced_is_noticed_and_opened_anew(file: Path, how: str) -> None:
    old, idle = connected(file), connected(file)
    publish(old, "one")
    other = file.with_name("other.sqlite")
    with closing(connected(other)) as prepared:
        publish(prepared, "two")
    if how == "replaced":
        move(other, file)
    else:
        file.unlink()
        if how != "removed":
            file.with_name(f"{file.name}-lock").unlink()

    with pytest.raises(RecoverableConnectionError, match="replaced or removed"):
        publish(old, "lost")
    with closing(connected(file)) as new:
        if how == "replaced":
            assert taken(new) == b"two"
        publish(new, "three")
        for one in (old, idle):
            one.release()
        assert taken(new) == b"three"
        assert not new.connection.store.shared.dead()


def test_a_reader_of_a_copy_has_what_was_leased_in_the_original(file: Path) -> None:
    old = connected(file)
    publish(old, "one")
    channel = old.channel()
    assert channel.basic_get("jobs") is not None
    with sqlite3.connect(file) as db:
        db.execute("VACUUM INTO ?", (f"{file}.copy",))
    db.close()
    move(file.with_name(f"{file.name}.copy"), file)

    with closing(connected(file)) as new:
        assert taken(new) == b"one"
        old.release()
