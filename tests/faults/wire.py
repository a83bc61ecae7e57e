"""A proxy between PACER and a broker: it reads the frames that pass, writes them down, and breaks things.

Frames and methods are those of AMQP 0-9-1, sections 2.3.5 and 1.8 of the reference.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import amqp
from attrs import define, field, frozen

HEADER = struct.Struct(">BHI")
METHOD, CONTENT, HEARTBEAT = 1, 2, 8
BASIC = 60
PUBLISH, DELIVER, ACK = 40, 60, 80
UNREAD = 0.1
"""For how many seconds a confirm may lie in the socket of a publisher that still writes."""
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST, as a machine does that knows nothing of us


@frozen
class Event:
    """What a frame has said about one message."""

    what: str
    """``deliver`` and ``ack`` on the way out of a queue, ``publish`` and ``confirm`` on the way into one.

    A confirm of which nobody knows whether its publisher has read it is followed by a ``doubt``.
    """
    link: int
    """The number of the connection, in the order of their beginnings."""
    message: str = ""
    """Its correlation id."""
    queue: str = ""
    """Of a delivery and its acknowledgement."""
    exchange: str = ""
    key: str = ""
    attempt: int = 0
    """The attempt that a delivery begins, and the one of which a copy is left."""
    redelivered: bool = False


@define(eq=False)
class _Channel:
    """What is going on in one channel of one connection."""

    begun: dict[str, Any] = field(factory=dict)
    """The method whose content comes next."""
    handed_out: dict[int, Event] = field(factory=dict)
    published: dict[int, Event] = field(factory=dict)
    count: int = 0


@define(eq=False)
class _Link:
    """One connection of a client, and ours to the broker."""

    number: int
    client: socket.socket
    broker: socket.socket
    channels: dict[int, _Channel] = field(factory=dict)
    left: bool = False
    """Whether one side has hung up; what comes for it after that reaches nobody."""
    passed: list[tuple[float, Event]] = field(factory=list)
    """When which confirm was passed on."""

    def channel(self, number: int) -> _Channel:
        return self.channels.setdefault(number, _Channel())

    def close(self, *, reset: bool = False) -> None:
        for end in (self.client, self.broker):
            with contextlib.suppress(OSError):
                if reset:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                end.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                end.close()


class Wire:
    """Listens at `port` and passes on what comes to a broker's port and back.

    `events` is what has passed so far, and `confirmed` the confirms among it. `at` has something done at
    the very moment at which a certain event passes, and before the other side hears of it.
    """

    def __init__(self, broker: int) -> None:
        self._broker = broker
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.events: list[Event] = []
        self.confirmed: list[Event] = []
        self._flows = threading.Event()
        self._flows.set()
        self._refuses = False
        self._links: list[_Link] = []
        self._lock = threading.Lock()
        self._watches: list[tuple[Callable[[Event], bool], Callable[[], None]]] = []
        threading.Thread(target=self._accept, name="wire", daemon=True).start()

    # --- what a test does to it --------------------------------------------------------------------

    def at(self, moment: Callable[[Event], bool], act: Callable[[], None]) -> None:
        """Do something once, when an event passes of which ``moment`` is true."""
        self._watches.append((moment, act))

    def cut(self) -> None:
        """Reset every connection."""
        with self._lock:
            links, self._links = self._links, []
        for link in links:
            link.left = True
            link.close(reset=True)
            since = time.monotonic() - UNREAD
            self.events += [_like(confirm, "doubt") for at, confirm in list(link.passed) if at >= since]

    def freeze(self) -> None:
        """Pass nothing on any more, and tell nobody: every connection is half open."""
        self._flows.clear()

    def thaw(self) -> None:
        """Pass on again what comes, and what came meanwhile."""
        self._flows.set()

    def refuse(self) -> None:
        """Be a broker that is gone: cut what there is, and hang up on who calls."""
        self._refuses = True
        self.cut()

    def admit(self) -> None:
        """Be there again."""
        self._refuses = False

    def close(self) -> None:
        """Close everything."""
        self._refuses = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.thaw()
        self.cut()

    # --- what it does --------------------------------------------------------------------------------

    def _accept(self) -> None:
        number = 0
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refuses:
                client.close()
                continue
            try:
                broker = socket.create_connection(("127.0.0.1", self._broker))
            except OSError:  # as whoever calls a broker that is away
                client.close()
                continue
            for end in (client, broker):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            number += 1
            link = _Link(number, client, broker)
            with self._lock:
                self._links.append(link)
            for pump in (self._from_client, self._from_broker):
                threading.Thread(target=self._run, args=(pump, link), daemon=True).start()

    def _run(self, pump: Callable[[_Link], None], link: _Link) -> None:
        with contextlib.suppress(OSError, ValueError):  # ValueError: poll's, of a socket that was cut before
            pump(link)
        link.left = True
        self._flows.wait()  # whoever has half a connection does not hear of its other end's end
        link.close()

    def _from_client(self, link: _Link) -> None:
        said = _Frames(skip=8)  # the protocol header is no frame
        for data in self._through(link, link.client, link.broker):
            for kind, number, payload in said.take(data):
                if kind == HEARTBEAT:
                    self._pass(Event("heartbeat", link.number))
                elif event := _sent(link, kind, number, payload):
                    self._pass(event)
                elif kind == METHOD and payload[:4] == struct.pack(">HH", BASIC, ACK):
                    for delivery in _settled(link.channel(number).handed_out, payload):
                        self._pass(_like(delivery, "ack"))

    def _from_broker(self, link: _Link) -> None:
        said = _Frames()
        confirmed: list[Event] = []
        try:
            for data in self._through(link, link.broker, link.client):
                if not data:  # everything before has been passed on
                    self._confirm(link, confirmed)
                    confirmed.clear()
                for kind, number, payload in said.take(data):
                    if event := _received(link, kind, number, payload):
                        self._pass(event)
                    elif kind == METHOD and payload[:4] == struct.pack(">HH", BASIC, ACK):
                        confirmed += _settled(link.channel(number).published, payload)
                for publish in confirmed:
                    self._see(_like(publish, "confirm"))
        finally:
            # The broker has these, whether or not their publisher has read it before the end.
            link.left = True
            self._confirm(link, confirmed)

    def _confirm(self, link: _Link, confirmed: list[Event]) -> None:
        """Write down what was confirmed to a publisher who was there, and may have left meanwhile."""
        confirms = [_like(publish, "confirm") for publish in confirmed]
        link.passed += [(time.monotonic(), confirm) for confirm in confirms]
        self.events += confirms
        self.confirmed += confirms
        if link.left:
            self.events += [_like(confirm, "doubt") for confirm in confirms]

    def _through(self, link: _Link, source: socket.socket, sink: socket.socket) -> Iterator[bytes]:
        """Give what comes, and pass it on afterwards; then an empty piece follows, if somebody was there."""
        held = b""
        poll = select.poll()
        poll.register(source, select.POLLIN)
        while True:
            if held and self._flows.is_set():
                left = link.left
                sink.sendall(held)
                held = b""
                if not left:
                    yield b""
            if poll.poll(20 if held else 1000):
                data = source.recv(1 << 16)
                if not data:
                    return
                yield data
                held += data

    def _pass(self, event: Event) -> None:
        self.events.append(event)
        self._see(event)

    def _see(self, event: Event) -> None:
        for watch in list(self._watches):
            if watch[0](event):
                self._watches.remove(watch)
                watch[1]()


class _Frames:
    """Cuts a stream into frames."""

    def __init__(self, skip: int = 0) -> None:
        self._skip, self._buffer = skip, b""

    def take(self, data: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Give the frames that are whole with these bytes: type, channel, payload."""
        self._buffer += data
        at, self._skip = self._skip, 0
        while len(self._buffer) >= at + HEADER.size:
            kind, number, size = HEADER.unpack_from(self._buffer, at)
            end = at + HEADER.size + size + 1
            if len(self._buffer) < end:
                break
            yield kind, number, self._buffer[at + HEADER.size : end - 1]
            at = end
        self._buffer = self._buffer[at:]


def _sent(link: _Link, kind: int, number: int, payload: bytes) -> Event | None:
    """Read what a client publishes; give the event with the content's header."""
    channel = link.channel(number)
    if kind == METHOD and payload[:4] == struct.pack(">HH", BASIC, PUBLISH):
        exchange, at = _short(payload, 6)
        key, _ = _short(payload, at)
        channel.begun = {"exchange": exchange, "key": key}
    elif kind == CONTENT and channel.begun:
        message, attempt = _content(payload)
        event = Event("publish", link.number, message, attempt=attempt, **channel.begun)
        channel.begun = {}
        channel.count += 1
        channel.published[channel.count] = event
        return event
    return None


def _received(link: _Link, kind: int, number: int, payload: bytes) -> Event | None:
    """Read what a broker delivers, or returns to its publisher."""
    channel = link.channel(number)
    method = struct.unpack_from(">HH", payload) if kind == METHOD else None
    if method == (BASIC, DELIVER):
        tag, at = _short(payload, 4)
        delivery, redelivered = struct.unpack_from(">QB", payload, at)
        channel.begun = {
            "queue": tag.removeprefix("pacer-"),
            "redelivered": bool(redelivered),
            "delivery": delivery,
        }
    elif kind == CONTENT and channel.begun:
        message, attempt = _content(payload)
        begun, channel.begun = channel.begun, {}
        delivery = begun.pop("delivery")
        event = Event("deliver", link.number, message, attempt=attempt + 1, **begun)
        channel.handed_out[delivery] = event
        return event
    return None


def _settled(waiting: dict[int, Event], payload: bytes) -> list[Event]:
    """Take out what an acknowledgement, or a confirm, is about."""
    tag, multiple = struct.unpack_from(">QB", payload, 4)
    # A tag of 0 means all there are; the other direction adds to them meanwhile.
    tags = [one for one in list(waiting) if one <= tag or not tag] if multiple else [tag]
    return [waiting.pop(one) for one in tags if one in waiting]


def _like(event: Event, what: str) -> Event:
    return Event(what, event.link, event.message, event.queue, event.exchange, event.key, event.attempt)


def _content(payload: bytes) -> tuple[str, int]:
    """Read the header frame of a content: the correlation id, and the attempt that PACER has noted."""
    message = amqp.Message()
    message.inbound_header(payload)
    headers = message.properties.get("application_headers") or {}
    given = headers.get("x-pacer-correlation-id") or message.properties.get("correlation_id") or ""
    return str(given), int(headers.get("x-pacer-attempt", 0))


def _short(payload: bytes, at: int) -> tuple[str, int]:
    """Read a short string; give it with the place behind it."""
    end = at + 1 + payload[at]
    return payload[at + 1 : end].decode(), end
