import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import amqp
import pytest

from tests.services import RabbitMQ, ServiceFailedError
from tests.services import rabbitmq as module
from tests.services.base import ServiceMissingError, wait_until
from tests.services.fixtures import skip_without_program

StartRabbitMQ = Callable[..., RabbitMQ]


def connect(node: RabbitMQ, vhost: str = "/") -> amqp.Connection:
    connection = amqp.Connection(host=f"127.0.0.1:{node.port}", virtual_host=vhost)
    connection.connect()
    return connection


def send(node: RabbitMQ, vhost: str, body: str) -> None:
    with connect(node, vhost) as connection:
        channel = connection.channel()
        channel.confirm_select()
        channel.queue_declare("letters", durable=True, auto_delete=False)
        channel.basic_publish_confirm(amqp.Message(body, delivery_mode=2), routing_key="letters")


def fetch(node: RabbitMQ, vhost: str) -> str | None:
    with connect(node, vhost) as connection:
        message = connection.channel().basic_get("letters", no_ack=True)
        return None if message is None else message.body


def traces(folder: str) -> list[str]:
    """Give what is left of a nest: its folder, and processes that know it."""
    left = [folder] if os.path.exists(folder) else []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            known = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        except OSError:
            continue
        if folder.encode() in known:
            left.append(str(process))
    return left


def folder_of(node: RabbitMQ) -> str:
    return node.ctl("eval", 'io:format(os:getenv("HOME")).').removesuffix("ok\n")


def test_a_fresh_virtual_host_takes_and_gives_a_message(rabbitmq: RabbitMQ, rabbitmq_vhost: str) -> None:
    send(rabbitmq, rabbitmq_vhost, "hello")
    assert fetch(rabbitmq, rabbitmq_vhost) == "hello"


def test_virtual_hosts_know_nothing_of_each_other(rabbitmq: RabbitMQ) -> None:
    with rabbitmq.vhost() as one, rabbitmq.vhost() as other:
        send(rabbitmq, one, "hello")
        with pytest.raises(amqp.NotFound):
            fetch(rabbitmq, other)


def test_a_virtual_host_is_gone_after_its_test(rabbitmq: RabbitMQ) -> None:
    with rabbitmq.vhost() as name:
        assert name in rabbitmq.ctl("list_vhosts").split()
    assert name not in rabbitmq.ctl("list_vhosts").split()


def test_the_url_quotes_the_virtual_host(rabbitmq: RabbitMQ) -> None:
    assert rabbitmq.url() == f"amqp://guest:guest@127.0.0.1:{rabbitmq.port}/%2F"
    assert rabbitmq.url("a b").endswith("/a%20b")


def test_a_command_that_fails_says_why(rabbitmq: RabbitMQ) -> None:
    with pytest.raises(ServiceFailedError, match="Queue not found"):
        rabbitmq.ctl("delete_queue", "nowhere")


def test_a_durable_message_survives_kill_and_restart(start_rabbitmq: StartRabbitMQ) -> None:
    node = start_rabbitmq()
    vhost = node.new_vhost()
    send(node, vhost, "hello")
    # The message is on disk when it is confirmed; the queue's definition in Mnesia's log a moment later.
    node.ctl("eval", "mnesia:sync_log().")
    node.kill()
    with pytest.raises(ConnectionRefusedError):
        connect(node, vhost)
    node.start()
    assert fetch(node, vhost) == "hello"
    send(node, vhost, "again")
    node.restart()
    assert fetch(node, vhost) == "again"


def test_a_node_takes_plugins_and_configuration(start_rabbitmq: StartRabbitMQ) -> None:
    node = start_rabbitmq(
        plugins=["rabbitmq_stomp", "rabbitmq_management"], config={"consumer_timeout": 12345}
    )
    assert "12345" in node.ctl("eval", "application:get_env(rabbit, consumer_timeout).")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"http://127.0.0.1:{node.ports['rabbitmq_management']}/api/overview")
    with socket.create_connection(("127.0.0.1", node.ports["rabbitmq_stomp"]), timeout=10) as stomp:
        stomp.sendall(b"CONNECT\naccept-version:1.2\nhost:/\nlogin:guest\npasscode:guest\n\n\0")
        assert stomp.recv(9) == b"CONNECTED"


def test_a_closed_node_leaves_no_process_and_no_file(start_rabbitmq: StartRabbitMQ) -> None:
    node = start_rabbitmq()
    folder = folder_of(node)
    assert len(traces(folder)) > 3
    node.close()
    wait_until(lambda: not traces(folder), seconds=20, what="everything is gone")


def test_a_node_whose_owner_is_killed_leaves_no_process_and_no_file(rabbitmq: RabbitMQ) -> None:
    owner = (
        "import os, signal; from tests.services import RabbitMQ; node = RabbitMQ();"
        "print(node.ctl('eval', 'io:format(os:getenv(\"HOME\")).'), flush=True);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", owner], stdout=subprocess.PIPE, text=True)
    folder = done.stdout.strip().removesuffix("ok")
    assert os.path.basename(folder).startswith("pacer-rabbitmq-")
    wait_until(lambda: not traces(folder), seconds=20, what="everything is gone")


def test_a_node_that_cannot_start_shows_its_log(start_rabbitmq: StartRabbitMQ) -> None:
    with pytest.raises(ServiceFailedError, match="no_such_setting"):
        start_rabbitmq(config={"no_such_setting": 1})


def test_a_missing_program_skips_and_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OTHER_ROOT", "")
    monkeypatch.setattr(module, "FOLDER", "/nowhere")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("PACER_REQUIRE_SERVICES", raising=False)
    with (
        pytest.raises(pytest.skip.Exception, match="apt-get install rabbitmq-server"),
        skip_without_program(),
    ):
        RabbitMQ()


def test_a_missing_program_fails_where_services_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OTHER_ROOT", "")
    monkeypatch.setattr(module, "FOLDER", "/nowhere")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("PACER_REQUIRE_SERVICES", "1")
    with (
        pytest.raises(pytest.fail.Exception, match="apt-get install rabbitmq-server"),
        skip_without_program(),
    ):
        RabbitMQ()


def test_a_system_named_for_rabbitmq_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OTHER_ROOT", "/nowhere")
    with pytest.raises(ServiceMissingError, match="names /nowhere, where /proc is not mounted"):
        RabbitMQ()
