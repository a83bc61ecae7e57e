"""The buffered AMQP transport against a broker, with a proxy between that decides when bytes arrive."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import amqp
import pytest
from kombu import Connection
from kombu.transport import TRANSPORT_ALIASES

from pacer_core.transport.amqp import buffered
from tests.services import RabbitMQ
from tests.services.base import program
from tests.services.fixtures import skip_without_program

Connect = Callable[..., Any]


class Proxy:
    """Passes bytes on; `hold` keeps those of the broker back, and `release` sends them in one piece."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._broker, self._tls = port, tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._pass = threading.Event()
        self._pass.set()
        self._lock = threading.Lock()
        self._held = bytearray()
        self._client: Any = None
        threading.Thread(target=self._serve, daemon=True).start()

    def hold(self) -> None:
        self._pass.clear()

    def held(self) -> int:
        return len(self._held)

    def release(self, size: int | None = None) -> None:
        """Send what is held, or its first bytes and go on holding the rest."""
        with self._lock:
            data = bytes(self._held[:size])
            del self._held[:size]
            self._client.sendall(data)
            if size is None:
                self._pass.set()

    def cut(self) -> None:
        self._client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
        with contextlib.suppress(OSError):
            self._client.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            client, _ = self._listener.accept()
            self._client = client if self._tls is None else self._tls.wrap_socket(client, server_side=True)
            broker = socket.create_connection(("127.0.0.1", self._broker))
            threading.Thread(target=self._to_broker, args=(broker,), daemon=True).start()
            with broker:
                while data := broker.recv(65536):
                    with self._lock:
                        if self._pass.is_set():
                            self._client.sendall(data)
                        else:
                            self._held += data

    def _to_broker(self, broker: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := self._client.recv(65536):
                broker.sendall(data)


@pytest.fixture
def alias(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(TRANSPORT_ALIASES, "buffered", f"{buffered.__name__}:Transport")
    return "buffered"


@pytest.fixture
def proxy(rabbitmq: RabbitMQ) -> Iterator[Proxy]:
    between = Proxy(rabbitmq.port)
    yield between
    between.close()


@pytest.fixture
def connect(rabbitmq: RabbitMQ, rabbitmq_vhost: str, alias: str) -> Iterator[Connect]:
    """Connect through a proxy or directly."""
    with contextlib.ExitStack() as stack:

        def open_(proxy: Proxy | None = None, **options: Any) -> Any:
            connection = Connection(
                transport=alias,
                hostname="127.0.0.1",
                port=proxy.port if proxy else rabbitmq.port,
                userid="guest",
                password="guest",
                virtual_host=rabbitmq_vhost,
                **options,
            )
            stack.callback(_release, connection)
            connection.connect()
            return connection

        yield open_


def _release(connection: Any) -> None:
    with contextlib.suppress(Exception):  # a test may have cut it
        connection.release()


@pytest.fixture
def fill(rabbitmq: RabbitMQ, rabbitmq_vhost: str) -> Iterator[Callable[..., Any]]:
    """Publish bodies to a queue with py-amqp itself; gives its channel, to look at the queue with."""
    with amqp.Connection(
        f"127.0.0.1:{rabbitmq.port}", "guest", "guest", virtual_host=rabbitmq_vhost, confirm_publish=True
    ) as connection:
        channel = connection.channel()

        def publish(bodies: list[bytes], queue: str = "work") -> Any:
            channel.queue_declare(queue, durable=True, auto_delete=False)
            for body in bodies:
                channel.basic_publish(amqp.Message(body), routing_key=queue)
            return channel

        yield publish


def _wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _bodies(count: int) -> list[bytes]:
    return [b"message %d " % number + b"." * 500 for number in range(count)]


def _consume(connection: Any, got: list[Any], prefetch: int = 0) -> Any:
    channel = connection.channel()
    channel.basic_qos(0, prefetch, False)
    channel.basic_consume("work", callback=got.append)
    return channel


def _consume_in_one_piece(connection: Any, proxy: Proxy, got: list[Any], count: int) -> None:
    """Consume so that ConsumeOk and all deliveries behind it arrive at once."""
    channel = connection.channel()
    proxy.hold()
    consuming = threading.Thread(target=lambda: channel.basic_consume("work", callback=got.append))
    consuming.start()
    _wait(lambda: proxy.held() > count * 500)
    before = -1
    while proxy.held() > before:  # until the last one is here as well
        before = proxy.held()
        time.sleep(0.1)
    proxy.release()
    consuming.join(20)


def _drain(connection: Any, got: list[Any], count: int) -> None:
    amqp_connection = connection.connection
    deadline = time.monotonic() + 20
    while len(got) < count:
        assert time.monotonic() < deadline, f"{len(got)} of {count}"
        if not amqp_connection.ready():
            select.select([amqp_connection.sock], [], [], 1)
        amqp_connection.drain_ready(1000)


def test_deliveries_that_arrive_together_with_consume_ok_reach_the_callback_in_order(
    connect: Connect, proxy: Proxy, fill: Any
) -> None:
    fill(_bodies(20))
    connection = connect(proxy)
    got: list[Any] = []
    _consume_in_one_piece(connection, proxy, got, 20)

    assert not got  # they wait in the buffer, since nobody has asked for them yet
    _drain(connection, got, 20)
    assert [message.body for message in got] == _bodies(20)
    assert not any(message.delivery_info["redelivered"] for message in got)


def test_what_is_in_the_buffer_is_reported_as_ready_where_select_sees_nothing(
    connect: Connect, proxy: Proxy, fill: Any
) -> None:
    fill(_bodies(8))
    connection = connect(proxy)
    raw = connection.connection
    got: list[Any] = []
    assert not raw.ready()
    _consume_in_one_piece(connection, proxy, got, 8)

    assert select.select([raw.sock], [], [], 0.2)[0] == []
    assert raw.ready()
    assert raw.drain_ready(1000) == 8
    assert len(got) == 8
    assert not raw.ready()


def test_drain_ready_stops_at_its_limit_and_never_waits(connect: Connect, fill: Any) -> None:
    fill(_bodies(10))
    connection = connect()
    got: list[Any] = []
    _consume(connection, got)
    raw = connection.connection
    while len(got) < 10:
        before = len(got)
        assert raw.drain_ready(3) <= 3
        assert len(got) <= before + 3
    assert raw.drain_ready(3) == 0


def test_a_timeout_in_the_middle_of_a_frame_loses_nothing(connect: Connect, proxy: Proxy, fill: Any) -> None:
    fill([])
    connection = connect(proxy)
    got: list[Any] = []
    _consume(connection, got)
    proxy.hold()
    body = bytes(range(256)) * 4
    fill([body])
    _wait(lambda: proxy.held() > len(body))
    for size in (3, 7, 200, 500):
        proxy.release(size)
        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=0.1)
    proxy.release()
    connection.drain_events(timeout=5)

    assert [message.body for message in got] == [body]


def test_a_body_of_many_frames_arrives_as_it_was_sent(connect: Connect, fill: Any) -> None:
    body = bytes(range(256)) * 8192  # 2 MiB
    fill([body])
    connection = connect()
    got: list[Any] = []
    _consume(connection, got)
    _drain(connection, got, 1)
    assert got[0].body == body


def test_deliveries_of_two_queues_on_a_channel_go_to_whoever_takes_them_now(
    connect: Connect, fill: Any
) -> None:
    for number in range(20):
        looking = fill([b"%d" % number, b""], queue=f"queue {number % 3 % 2}")
    connection = connect()
    for who in ("first", "second"):  # the second channel has the number and the consumer tags of the first
        got: list[tuple[str, str, bytes]] = []
        channel = connection.channel()
        for number in range(2):
            queue = f"queue {number}"
            channel.openers[queue.encode()] = _opener(who, got)
            channel.basic_consume(queue, callback=_one_by_one(got), consumer_tag=queue)
        _drain(connection, got, 40)
        assert {one for one, _, _ in got} - {"frame by frame"} == {who}
        for queue, rest in (("queue 0", (0, 2)), ("queue 1", (1,))):
            numbers = [number for number in range(20) if number % 3 in rest]
            bodies = [body for _, key, body in got if key == queue]
            assert bodies == [body for number in numbers for body in (b"%d" % number, b"")]
        channel.close()  # all go back
    assert looking.queue_declare("queue 1", passive=True).message_count == 14


def _one_by_one(got: list[tuple[str, str, bytes]]) -> Callable[[Any], None]:
    """Take what comes before ConsumeOk, or in pieces."""
    open_ = _opener("frame by frame", got)
    return lambda message: open_(message.delivery_info, {}, {})(0, message.body or b"")


def _opener(who: str, got: list[tuple[str, str, bytes]]) -> Any:
    def open_(info: Any, properties: Any, headers: Any) -> Any:
        return lambda tag, body: got.append((who, info["routing_key"], body))

    return open_


def test_acknowledgements_in_one_write_are_all_taken(connect: Connect, fill: Any) -> None:
    looking = fill(_bodies(30))
    connection = connect()
    got: list[Any] = []
    channel = _consume(connection, got)
    _drain(connection, got, 30)
    sent = connection.connection.bytes_sent
    channel.ack_all([(10, True), (12, False), (15, False)])
    channel.basic_qos(0, 1, False)  # synchronous: the acknowledgements are in
    assert connection.connection.bytes_sent == sent + 4
    channel.close()

    assert looking.queue_declare("work", passive=True).message_count == 18
    again = [looking.basic_get("work").body for _ in range(18)]
    kept = [number for number in range(10, 30) if number not in (11, 14)]
    assert again == [_bodies(30)[number] for number in kept]


def test_frames_of_two_threads_do_not_mix(connect: Connect, fill: Any) -> None:
    looking = fill(_bodies(300))
    connection = connect()
    got: list[Any] = []
    channel = _consume(connection, got)
    _drain(connection, got, 300)
    beats = threading.Event()

    def beat() -> None:
        while not beats.is_set():
            connection.connection.send_heartbeat()

    thread = threading.Thread(target=beat)
    thread.start()
    for message in got:
        channel.ack_all([(message.delivery_tag, False)])
    channel.basic_qos(0, 1, False)
    beats.set()
    thread.join()
    channel.close()
    assert looking.queue_declare("work", passive=True).message_count == 0


def test_nothing_is_acknowledged_on_a_channel_that_is_closed(connect: Connect, fill: Any) -> None:
    fill(_bodies(1))
    connection = connect()
    got: list[Any] = []
    channel = _consume(connection, got)
    _drain(connection, got, 1)
    channel.close()
    with pytest.raises(amqp.exceptions.RecoverableConnectionError):
        channel.ack_all([(1, False)])


def test_a_connection_that_is_cut_is_an_error_and_not_an_endless_read(connect: Connect, proxy: Proxy) -> None:
    connection = connect(proxy)
    raw = connection.connection
    proxy.cut()
    select.select([raw.sock], [], [], 5)
    with pytest.raises(OSError, match="closed the connection"):
        raw.drain_ready(10)
    assert not raw.connected
    assert not raw.ready()


@pytest.fixture
def tls_proxy(rabbitmq: RabbitMQ, tmp_path: Path) -> Iterator[Proxy]:
    with skip_without_program():
        openssl = program("openssl", package="openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    between = Proxy(rabbitmq.port, context)
    yield between
    between.close()


def test_over_tls_everything_that_was_sent_is_found_without_new_bytes_on_the_socket(
    connect: Connect, tls_proxy: Proxy, fill: Any, tmp_path: Path
) -> None:
    fill(_bodies(400))  # many TLS records
    connection = connect(tls_proxy, ssl={"ca_certs": str(tmp_path / "certificate.pem")})
    got: list[Any] = []
    channel = _consume(connection, got)
    _drain(connection, got, 400)
    assert [message.body for message in got] == _bodies(400)
    channel.ack_all([(400, True)])
    channel.close()
