"""What the embedded broker does beyond the contract that all transports share."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from amqp import Message
from amqp.exceptions import (
    AccessRefused,
    AMQPNotImplementedError,
    InvalidCommand,
    PreconditionFailed,
)

from pacer_contract.broker import Broker, Inbox, count, declare, drain, eventually, get, send, wait_for
from pacer_core import BrokerError
from pacer_embedded import FILE, IN_MEMORY, MEMORY, FileOptions, MemoryOptions, forget
from pacer_embedded.wakeup import Caller


def a_broker(kind: str, folder: Path) -> Broker:
    if kind == "memory":
        return Broker(MEMORY, MemoryOptions())
    return Broker(FILE, FileOptions(path=str(folder / "broker.sqlite")))


@pytest.fixture(params=["file", "memory"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    with a_broker(request.param, tmp_path) as broker:
        yield broker
    forget(IN_MEMORY)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Broker]:
    with a_broker("file", tmp_path) as broker:
        yield broker


def test_at_least_once_keeps_a_dead_letter_until_there_is_a_queue_for_it(broker: Broker) -> None:
    channel = broker.channel()
    strategy = {"x_dead_letter_strategy": "at-least-once", "x_overflow": "reject-publish"}
    declare(channel, "retry", x_message_ttl=10, x_dead_letter_exchange="", x_queue_type="quorum", **strategy)
    channel.exchange_declare("e", "fanout", durable=True, auto_delete=False)
    channel.queue_bind("retry", "e")
    send(channel, *range(3), exchange="e", to="work")
    drain(channel, 0.1)
    assert count(channel, "retry") == 3
    assert channel.basic_get("retry") is None

    declare(channel, "work")

    inbox = Inbox(channel, "work")
    inbox.wait(3)
    assert inbox.bodies == ["0", "1", "2"]
    deaths = inbox.messages[0].properties["application_headers"]["x-death"]
    assert [(death["reason"], death["count"]) for death in deaths] == [("expired", 1)]
    assert count(channel, "retry") == 0


def test_at_least_once_keeps_a_rejected_message_too(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel, x_dead_letter_exchange="later", x_dead_letter_strategy="at-least-once")
    send(channel, "one")

    channel.basic_reject(get(channel).delivery_tag, requeue=False)

    assert channel.basic_get("q") is None
    channel.exchange_declare("later", "fanout", durable=True, auto_delete=False)
    declare(channel, "dead")
    channel.queue_bind("dead", "later")
    message = get(channel, "dead")
    assert message.properties["application_headers"]["x-death"][0]["reason"] == "rejected"


def test_at_most_once_drops_a_dead_letter_without_a_queue(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel, x_dead_letter_exchange="nowhere")
    send(channel, "one")

    channel.basic_reject(get(channel).delivery_tag, requeue=False)

    assert count(channel) == 0


def test_a_short_delay_does_not_wait_behind_a_long_one(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel, "work")
    declare(channel, x_message_ttl=60_000, x_dead_letter_exchange="", x_dead_letter_routing_key="work")
    inbox = Inbox(channel, "work")

    send(channel, "long")
    send(channel, "short", expiration="10")

    inbox.wait(1)
    assert inbox.bodies == ["short"]


def test_what_was_leased_ahead_and_never_handed_out_comes_back_unmarked(broker: Broker) -> None:
    channel = broker.channel(prefetch=3)
    declare(channel)
    send(channel, *range(3))
    channel.basic_consume("q", callback=lambda message: None)
    channel.connection.drain_events(timeout=5)
    assert count(broker.channel()) == 0

    channel.close()

    other = broker.channel()
    assert [get(other).delivery_info["redelivered"] for _ in range(3)] == [True, False, False]


def test_large_messages_are_not_leased_far_ahead(broker: Broker) -> None:
    channel = broker.channel(prefetch=50)
    declare(channel)
    for _ in range(10):
        send(channel, b"x" * 400_000)
    channel.basic_consume("q", callback=lambda message: None)

    channel.connection.drain_events(timeout=5)

    assert count(broker.channel()) == 7


def test_threads_with_connections_of_their_own_lose_and_double_nothing(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)
    threads = [threading.Thread(target=send, args=(broker.channel(), *range(50))) for _ in range(8)]
    for thread in threads:
        thread.start()

    inbox = Inbox(channel)
    inbox.wait(400)
    for thread in threads:
        thread.join()

    assert sorted(int(body) for body in inbox.bodies) == sorted([*range(50)] * 8)


def test_a_callback_may_publish_on_its_own_channel(broker: Broker) -> None:
    channel = broker.channel(prefetch=200)
    declare(channel)
    declare(channel, "next")
    send(channel, *range(500))

    def handle(message: Any) -> None:
        send(channel, message.body, to="next")
        channel.basic_ack(message.delivery_tag)

    channel.basic_consume("q", callback=handle)
    wait_for(channel, lambda: count(channel, "next") == 500)


def test_publishing_each_time_with_a_confirm_wins_over_a_window(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)
    channel.confirm_select()

    send(channel, "one")

    assert count(broker.channel()) == 1


def test_messages_arrive_although_no_call_does(file: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = file.channel()
    declare(channel)
    inbox = Inbox(channel)
    child = file.child("send", "hello")
    # Calls do not cross network namespaces: a container that shares the file sees none of ours.
    monkeypatch.setattr("pacer_embedded.wakeup.Waker.wait", deaf)
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()

    inbox.wait(1)

    assert inbox.bodies == ["hello"]


def deaf(waker: object, seconds: float) -> bool:
    time.sleep(max(0, seconds))
    return False


def test_calling_somebody_who_has_gone_is_no_error() -> None:
    caller = Caller()

    caller.call(["pacer-nobody"])

    caller.close()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"x_max_length": 10}, "invalid arg 'x-max-length' for queue 'q'.*does not know it"),
        ({"x_message_ttl": "10"}, "invalid arg 'x-message-ttl' for queue 'q'.*expected int, got str"),
        ({"x_message_ttl": -1}, "invalid arg 'x-message-ttl'.*negative"),
        ({"x_dead_letter_routing_key": "a"}, "'x-dead-letter-routing-key'.*no x-dead-letter-exchange"),
    ],
)
def test_arguments_that_it_cannot_keep_are_refused(
    broker: Broker, arguments: dict[str, Any], named: str
) -> None:
    with pytest.raises(PreconditionFailed, match=named):
        declare(broker.channel(), **arguments)


def test_what_only_rabbitmq_has_is_refused_by_name(broker: Broker) -> None:
    channel = broker.channel()
    with pytest.raises(AMQPNotImplementedError, match="no exclusive queues"):
        channel.queue_declare("q", exclusive=True)
    with pytest.raises(InvalidCommand, match="unknown exchange type 'x-consistent-hash'"):
        channel.exchange_declare("e", "x-consistent-hash")
    with pytest.raises(PreconditionFailed, match="invalid arg 'alternate-exchange' for exchange 'e'"):
        channel.exchange_declare("e", "direct", arguments={"alternate-exchange": "f"})


def test_names_of_the_brokers_own_are_refused(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)
    with pytest.raises(AccessRefused, match=r"reserved prefix 'amq\.\*'"):
        channel.exchange_declare("amq.mine", "direct")
    with pytest.raises(AccessRefused, match="default exchange"):
        channel.queue_bind("q", "")
    with pytest.raises(AccessRefused, match="operation not permitted"):
        channel.exchange_delete("amq.topic")


def test_an_unnamed_queue_gets_a_name_and_goes_with_its_last_consumer(broker: Broker) -> None:
    channel = broker.channel()
    name = channel.queue_declare().queue
    assert name.startswith("amq.gen-")
    inbox = Inbox(channel, name)
    send(channel, "one", to=name)
    inbox.wait(1)

    channel.basic_cancel(inbox.tag)

    with pytest.raises(channel.connection.client.channel_errors, match="no queue"):
        channel.queue_declare(name, passive=True)


def test_an_error_of_a_channel_ends_its_consumers_and_returns_their_messages(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)
    send(channel, "one")
    Inbox(channel).wait(1)

    with pytest.raises(channel.connection.client.channel_errors):
        channel.queue_declare("none", passive=True)

    assert channel.queue_declare("q", passive=True) == ("q", 1, 0)
    with pytest.raises(PreconditionFailed, match="unknown delivery tag 1"):
        channel.basic_ack(1)


def test_a_file_of_another_release_is_refused(tmp_path: Path, file: Broker) -> None:
    file.connect().close()
    with sqlite3.connect(tmp_path / "broker.sqlite") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()

    with pytest.raises(BrokerError, match="has format 99, and this release of pacer-embedded reads format 1"):
        file.connect()


def test_a_database_of_something_else_is_refused_and_left_as_it_was(tmp_path: Path, file: Broker) -> None:
    with sqlite3.connect(tmp_path / "broker.sqlite") as db:
        db.execute("CREATE TABLE guests (name TEXT)")
    db.close()

    with pytest.raises(BrokerError, match="is an SQLite file of something else"):
        file.connect()

    with sqlite3.connect(tmp_path / "broker.sqlite") as db:
        assert [name for (name,) in db.execute("SELECT name FROM sqlite_master")] == ["guests"]
    db.close()


FULL = """
import resource, signal, sys
from amqp.exceptions import RecoverableConnectionError
from pacer_contract.broker import Broker, count, declare, send
from pacer_embedded import FILE, FileOptions

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
channel = Broker(FILE, FileOptions(path=sys.argv[1])).channel()
declare(channel)
send(channel, "one")
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
try:
    send(channel, "x" * 1_000_000)
except RecoverableConnectionError as error:
    assert "see that its disk has room" in str(error), error
else:
    raise AssertionError("nothing was raised")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
send(channel, "two")
assert count(channel) == 2
"""


def test_a_full_disk_is_an_error_of_the_connection_and_loses_nothing(file: Broker) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, file.options.path], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    inbox = Inbox(file.channel())
    inbox.wait(2)
    assert inbox.bodies == ["one", "two"]


def test_a_connection_that_is_closed_twice_is_closed_once(broker: Broker) -> None:
    connection = broker.connect().connection

    connection.close()
    connection.close()

    assert not connection.connected


def test_recovering_puts_back_all_that_is_unacknowledged(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)
    send(channel, "one", "two")
    get(channel)
    get(channel)

    channel.basic_recover(requeue=True)

    assert eventually(lambda: count(channel) == 2)


def test_text_is_sent_as_the_bytes_that_its_encoding_says(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)

    channel.basic_publish(Message("Ångström", content_encoding="latin-1"), routing_key="q")
    channel.basic_publish(Message("Ångström"), routing_key="q")

    assert get(channel).body == "Ångström".encode("latin-1")
    message = get(channel)
    assert (message.body, message.properties["content_encoding"]) == ("Ångström".encode(), "utf-8")


def test_many_threads_that_settle_never_stop_the_flow(broker: Broker) -> None:
    channel = broker.channel(prefetch=4)
    declare(channel)
    send(channel, *range(2000))
    work: SimpleQueue[int | None] = SimpleQueue()

    def settle() -> None:
        while (tag := work.get()) is not None:
            channel.basic_ack(tag)

    threads = [threading.Thread(target=settle) for _ in range(4)]
    for thread in threads:
        thread.start()
    channel.basic_consume("q", callback=lambda message: work.put(message.delivery_tag))
    received = 0
    while received < 2000:
        channel.connection.drain_events(timeout=10)  # a wake-up that is lost ends in a TimeoutError
        received += 1
    for _ in threads:
        work.put(None)
    for thread in threads:
        thread.join()

    assert count(channel) == 0


def test_no_thread_stays_behind(broker: Broker) -> None:
    before = threading.active_count()
    channels = [broker.channel() for _ in range(2)]
    declare(channels[0])
    for channel in channels:
        Inbox(channel)
    assert threading.active_count() == before + 1

    for channel in channels:
        channel.connection.close()

    assert threading.active_count() == before
