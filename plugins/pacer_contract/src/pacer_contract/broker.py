"""A broker for one test, and what tests do with brokers."""

from __future__ import annotations

import base64
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import Any

import pytest
from amqp import Message

from pacer_core import Capabilities, TransportType

PATIENCE = 20.0
"""Seconds after which what has not happened does not happen."""


class Broker:
    """One empty broker for one test; what is opened through it is closed with it.

    Parameters
    ----------
    transport
        The transport that is tested. Its ``connect`` is a function of a module: other processes call it too.
    options
        As the configuration would give them; they can be pickled.
    protocol
        Which of the transport's protocols is meant; by default its first.
    share
        Which part of their messages tests send that send many: less than 1 for an engine that takes a few
        hundred a second.
    """

    def __init__(
        self, transport: TransportType, options: Any, protocol: str | None = None, *, share: float = 1.0
    ) -> None:
        self.transport, self.options = transport, options
        self.protocol = protocol or transport.protocols[0]
        self.share = share
        self._open = ExitStack()

    def __enter__(self) -> Broker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def capabilities(self) -> Capabilities:
        """What the transport says that it can do."""
        return self.transport.capabilities

    def needs(self, *names: str) -> None:
        """Skip the test where the transport cannot do what it is about."""
        lacking = self.capabilities.lacking(*names)
        if lacking:
            pytest.skip(f"{self.protocol} has no {', '.join(lacking)}")

    def some(self, number: int) -> int:
        """Give how many messages are sent where there may be ``number``."""
        return max(1, int(number * self.share))

    def as_sent(self, numbers: Iterable[Any]) -> list[Any]:
        """Give numbers, or texts of them, as they came; sorted where the transport keeps no order."""
        return list(numbers) if self.capabilities.order else sorted(numbers, key=int)

    def connect(self, *, confirm: bool = True) -> Any:
        """Open a connection; with `confirm`, every publish waits for its confirm."""
        connection = connect(self.transport.connect, self.options, self.protocol, confirm=confirm)
        return self._open.enter_context(connection)

    def channel(self, connection: Any = None, *, prefetch: int = 0, confirm: bool = True) -> Any:
        """Open a channel that hands out bytes, on a connection of its own where none is given."""
        channel = (connection or self.connect(confirm=confirm)).channel()
        channel.auto_decode = False
        if prefetch:
            channel.basic_qos(0, prefetch, False)
        return channel

    def child(self, command: str, *arguments: object) -> subprocess.Popen[str]:
        """Start another process: see `pacer_contract.child`."""
        which = base64.b64encode(pickle.dumps((self.transport.connect, self.options, self.protocol))).decode()
        process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "pacer_contract.child", which, command, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._open.callback(_end, process)
        return process

    def close(self) -> None:
        """Close what was opened, and end what was started."""
        self._open.close()


def connect(opener: Callable[[Any, str], Any] | None, options: Any, protocol: str, *, confirm: bool) -> Any:
    """Open a connection; it closes as a context manager."""
    assert opener is not None, "the transport has no 'connect'"
    connection = opener(options, protocol)
    if confirm:
        connection.transport_options = {**(connection.transport_options or {}), "confirm_publish": True}
    connection.connect()
    return connection


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def declare(channel: Any, queue: str = "q", **arguments: Any) -> None:
    """Declare a durable queue; ``x_message_ttl=100`` is the argument ``x-message-ttl``."""
    channel.queue_declare(
        queue,
        durable=True,
        auto_delete=False,
        arguments={name.replace("_", "-"): value for name, value in arguments.items()},
    )


def send(channel: Any, *bodies: object, to: str = "q", exchange: str = "", **properties: Any) -> None:
    """Publish bodies, mandatory; those that are no bytes as their text."""
    for body in bodies:
        channel.basic_publish(
            Message(body if isinstance(body, bytes) else str(body).encode(), delivery_mode=2, **properties),
            exchange=exchange,
            routing_key=to,
            mandatory=True,
        )


class Inbox:
    """A consumer that keeps what it gets."""

    def __init__(self, channel: Any, queue: str = "q", **options: Any) -> None:
        self.channel = channel
        self.messages: list[Any] = []
        self.tag = channel.basic_consume(queue, callback=self.messages.append, **options)

    def wait(self, count: int) -> list[Any]:
        """Wait until so many messages are there in all."""
        wait_for(self.channel, lambda: len(self.messages) >= count)
        return self.messages

    def stays_at(self, count: int, seconds: float = 0.3) -> bool:
        """Tell whether no more than `count` messages come for a while."""
        drain(self.channel, seconds)
        return len(self.messages) == count

    @property
    def bodies(self) -> list[str]:
        """The bodies of what has come, as text."""
        return [message.body.decode() for message in self.messages]


def drain(channel: Any, seconds: float) -> None:
    """Handle what comes within some time."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        try:
            channel.connection.drain_events(timeout=left)
        except TimeoutError:
            return


def wait_for(channel: Any, done: Callable[[], bool]) -> None:
    """Handle what comes until something is true, and fail where that takes too long."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, f"not within {PATIENCE} seconds"
        try:
            channel.connection.drain_events(timeout=0.1)
        except TimeoutError:
            continue


def get(channel: Any, queue: str = "q") -> Any:
    """Give the next message, waiting for it."""
    deadline = time.monotonic() + PATIENCE
    while (message := channel.basic_get(queue)) is None:
        assert time.monotonic() < deadline, f"no message within {PATIENCE} seconds"
        time.sleep(0.01)
    return message


def count(channel: Any, queue: str = "q") -> int:
    """Give the number of ready messages."""
    ready: int = channel.queue_declare(queue, passive=True).message_count
    return ready


def eventually(check: Callable[[], bool]) -> bool:
    """Tell whether something becomes true: brokers count late."""
    deadline = time.monotonic() + PATIENCE
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
