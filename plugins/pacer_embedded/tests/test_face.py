"""What kombu and the core see of the embedded broker."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kombu.connection
import kombu.entity
import kombu.messaging
import pytest

from pacer_core import BrokerError
from pacer_embedded import capabilities, forget, register

# kombu has no types.
Connection: Any = kombu.connection.Connection
Exchange: Any = kombu.entity.Exchange
Queue: Any = kombu.entity.Queue
Consumer: Any = kombu.messaging.Consumer
Producer: Any = kombu.messaging.Producer


@pytest.fixture(params=["file", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    url = f"pacer+sqlite:///{tmp_path}/broker.sqlite" if request.param == "file" else "pacer+memory://face"
    yield url
    forget(url)


@pytest.fixture
def connection(url: str) -> Iterator[Any]:
    register()
    with Connection(url) as connection:
        yield connection


def test_kombus_producer_and_consumer_work_with_it(connection: Any) -> None:
    queue = Queue("q", Exchange("e", type="topic"), routing_key="a.#", max_priority=3)
    producer = Producer(connection.channel())
    got: list[Any] = []

    with Consumer(connection.channel(), queues=[queue], callbacks=[lambda *what: got.append(what)]):
        producer.publish({"a": 1}, exchange="e", routing_key="a.b", headers={"h": 1}, priority=2)
        connection.drain_events(timeout=5)

    ((body, message),) = got
    assert body == {"a": 1}
    assert message.headers == {"h": 1}
    message.ack()
    assert connection.channel().basic_get("q") is None


def test_kombu_hands_out_a_compressed_body_as_it_came(connection: Any) -> None:
    queue = Queue("q", durable=True)
    got: list[Any] = []

    with Consumer(connection.channel(), queues=[queue], on_message=got.append):
        producer = Producer(connection.channel())
        producer.publish(
            b"no zlib", routing_key="q", content_type="text/plain", headers={"compression": "zlib"}
        )
        connection.drain_events(timeout=5)

    assert got[0].body == b"no zlib"
    assert got[0].headers == {"compression": "zlib"}
    assert got[0].errors == []


def test_kombus_simple_queue_works_with_it(connection: Any) -> None:
    simple = connection.SimpleQueue("simple")
    simple.put({"a": 1})
    message = simple.get(timeout=5)
    message.ack()

    assert message.payload == {"a": 1}
    assert len(simple) == 0
    simple.close()


def test_a_connection_shows_and_clones_its_url(connection: Any, url: str) -> None:
    assert connection.as_uri() == url
    with connection.clone() as clone:
        assert clone.as_uri() == url
        declared = connection.channel().queue_declare("q", durable=True, auto_delete=False)
        assert clone.channel().queue_declare("q", passive=True) == declared


def test_a_closed_connection_says_that_it_is_closed(connection: Any) -> None:
    inner = connection.connection
    channel = connection.channel()

    connection.close()

    with pytest.raises(connection.connection_errors, match="closed"):
        inner.drain_events(timeout=0)
    with pytest.raises(connection.connection_errors, match="closed"):
        channel.queue_purge("q")


def test_brokers_in_memory_are_told_apart_by_their_names_and_outlive_their_connections() -> None:
    register()
    for name in ("one", "two"):
        with Connection(f"pacer+memory://{name}") as connection:
            connection.channel().queue_declare(name, durable=True, auto_delete=False)

    with Connection("pacer+memory://one") as connection:
        assert connection.channel().queue_declare("one", passive=True).queue == "one"
        with pytest.raises(connection.channel_errors, match="no queue 'two'"):
            connection.channel().queue_declare("two", passive=True)

    forget("pacer+memory://one")
    forget("pacer+memory://two")
    with Connection("pacer+memory://one") as connection, pytest.raises(connection.channel_errors):
        connection.channel().queue_declare("one", passive=True)
    forget("pacer+memory://one")


def test_a_file_keeps_its_messages_when_nobody_has_it_open(tmp_path: Path) -> None:
    register()
    url = f"pacer+sqlite:///{tmp_path}/broker.sqlite"
    with Connection(url) as connection:
        channel = connection.channel()
        channel.queue_declare("q", durable=True, auto_delete=False)
        channel.basic_publish(channel.prepare_message(b"body", properties={}), routing_key="q")

    with Connection(url) as connection:
        assert connection.channel().basic_get("q").body == b"body"


def test_a_relative_path_has_three_slashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register()
    monkeypatch.chdir(tmp_path)

    with Connection("pacer+sqlite:///a%20broker.sqlite") as connection:
        connection.connect()

    assert (tmp_path / "a broker.sqlite").exists()


def test_nobody_else_may_read_the_file(tmp_path: Path) -> None:
    register()

    with Connection(f"pacer+sqlite:///{tmp_path}/broker.sqlite") as connection:
        connection.channel().queue_declare("q")
        modes = {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}

    assert modes == {0o600}


@pytest.mark.parametrize(
    "url",
    [
        "pacer+sqlite://",
        "pacer+sqlite:///",
        "pacer+sqlite://host/file",
        "pacer+sqlite:///folder/",
        "pacer+memory://a/b",
        "pacer+postgresql://host/",
        "pacer+sqlite",
    ],
)
def test_another_url_is_refused_with_the_right_shape(url: str) -> None:
    with pytest.raises(BrokerError, match=r"expected pacer\+sqlite:///FILE"):
        capabilities(url)


def test_a_file_in_a_folder_that_is_not_there_is_refused_by_its_full_path(tmp_path: Path) -> None:
    register()
    path = tmp_path / "none" / "broker.sqlite"

    with pytest.raises(BrokerError, match=rf"{path} cannot be opened.*its folder must exist"):
        Connection(f"pacer+sqlite:///{path}").connect()


def test_a_file_that_is_no_broker_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    register()
    path = tmp_path / "letter.txt"
    path.write_text("Dear colleague,\n" * 100)

    with pytest.raises(BrokerError, match="cannot be used as a broker"):
        Connection(f"pacer+sqlite:///{path}").connect()

    assert path.read_text() == "Dear colleague,\n" * 100


def test_a_connection_from_before_a_fork_is_refused_after_it(connection: Any) -> None:
    channel = connection.channel()
    child = os.fork()
    if child == 0:
        try:
            channel.queue_declare("q")
        except BrokerError as error:
            os._exit(0 if "forked" in str(error) else 1)
        os._exit(2)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_capabilities_say_what_a_transport_lacks() -> None:
    needed = ("survives_kill", "several_processes", "delays")

    assert capabilities("pacer+sqlite:///file").lacking(*needed) == ()
    assert capabilities("pacer+memory://").lacking(*needed) == ("survives_kill", "several_processes")
    assert capabilities("pacer+sqlite:///file").lacking("several_hosts") == ("several_hosts",)


def test_an_unknown_capability_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no such capability: teleport; known are survives_kill"):
        capabilities("pacer+memory://").lacking("teleport")
