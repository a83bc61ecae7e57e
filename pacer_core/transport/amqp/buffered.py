"""py-amqp with buffered reads, deliveries in one go, and many acknowledgements in one write.

py-amqp reads every frame with three exact ``recv`` calls, and a delivery is three frames: nine system calls
for a message, where one brings 64 KiB of them. Nothing here is patched into py-amqp: the classes take the
places that `amqp.Connection` leaves for a transport and a channel.

Two things differ for whoever reads:

* What has been read already makes no socket readable. Ask `Connection.ready` before every ``select``.
* `Connection.drain_events` still dispatches one method and no more, as py-amqp's own: a call that waits for
  its answer (``basic_consume`` waits for ConsumeOk) reads through it, and would otherwise dispatch the
  deliveries behind that answer before their callback exists. `Connection.drain_ready` dispatches all that is
  there, and belongs into the outermost loop alone.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from functools import lru_cache
from struct import Struct
from typing import Any

from amqp import spec
from amqp.exceptions import RecoverableConnectionError, UnexpectedFrame
from amqp.transport import SSLTransport, TCPTransport
from kombu.transport import pyamqp

from pacer_core.transport.amqp.deliveries import AROUND, END, FRAME, Deliveries, Opener, Take
from pacer_core.transport.amqp.undecodable import frame_handler

_CHUNK = 64 * 1024
_ACK = Struct(">BHIHHQBB")  # a whole frame: type, channel, size; class, method, delivery tag, multiple; end
_ACK_SIZE = 13
_METHOD = Struct(">HHH")  # class, method, a reserved number
_CONTENT = Struct(">BHIHHQ")  # a content header's frame: type, channel, size; class, weight, size of the body
_CONTENT_SIZE = 12  # bytes of a content header before its properties
_BASIC = spec.Basic.Publish[0]
_END = bytes([END])

# Goes on while the machine is suspended, where there is one that does.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

Frame = tuple[int, int, bytes]
Prepared = tuple[bytes, bytes, bytes]
"""A message to publish: the frame of its method, its `property_list`, and its body."""


class _Buffered:
    """Frames out of a buffer that is filled with whatever the socket has; mixed into py-amqp's transports."""

    sock: Any
    connected: bool
    _write: Any

    def _setup_transport(self) -> None:
        super()._setup_transport()  # type: ignore[misc]  # the transport that this is mixed into
        self._buffer, self._at = b"", 0
        self._write_all, self._write = self._write, self._write_whole
        self._write_lock = threading.Lock()
        self._spoke, self._longest = time.clock_gettime(_CLOCK), 0.0

    def _write_whole(self, data: Any) -> None:
        # py-amqp's writer has a lock of its own, which `Channel.ack_all` cannot take.
        with self._write_lock:
            self._longest, self._spoke = self.silence(), time.clock_gettime(_CLOCK)
            self._write_all(data)

    def silence(self) -> float:
        """Give the longest time, in seconds, in which nothing was written; it may be going on."""
        return max(self._longest, time.clock_gettime(_CLOCK) - self._spoke)

    def take(self) -> Frame | None:
        """Give the next frame that is here in full, without touching the socket."""
        buffer, at = self._buffer, self._at
        left = len(buffer) - at
        if left < AROUND:
            return None
        kind, channel, size = FRAME.unpack_from(buffer, at)
        if left < size + AROUND:
            return None
        end = at + FRAME.size + size
        if buffer[end] != END:
            raise UnexpectedFrame(f"received frame end {buffer[end]:#04x}, expected {END:#04x}")
        self._at = end + 1
        return kind, channel, buffer[end - size : end]

    def take_delivery(self, deliveries: Deliveries) -> tuple[Take, int, bytes] | None:
        """Give the delivery that comes next, where it is one and is here in full: whose it is, tag, body."""
        found = deliveries.read(self._buffer, self._at)
        if found is None:
            return None
        self._at, take, tag, body = found
        return take, tag, body

    def read_frame(self) -> Frame:
        """Give the next frame, waiting for it where it is not here; a timeout loses nothing."""
        while (frame := self.take()) is None:
            self._read_some()
        return frame

    def ready(self) -> bool:
        """Tell whether there is something that ``select`` does not see: a whole frame, or bytes in TLS."""
        left = len(self._buffer) - self._at
        if left >= AROUND and left >= FRAME.unpack_from(self._buffer, self._at)[2] + AROUND:
            return True
        pending = getattr(self.sock, "pending", None)
        return bool(pending is not None and pending())

    def _read_some(self, *flags: int) -> None:
        try:
            chunk = self.sock.recv(_CHUNK, *flags)
        except (TimeoutError, BlockingIOError, ssl.SSLWantReadError):
            raise TimeoutError from None
        except OSError:
            self.connected = False
            raise
        if not chunk:
            self.connected = False
            raise OSError("the broker closed the connection unexpectedly")
        self._buffer, self._at = self._buffer[self._at :] + chunk, 0


class _Tcp(_Buffered, TCPTransport):  # type: ignore[misc]  # py-amqp and kombu have no types
    def read_ready(self) -> None:
        """Read what the socket has, without waiting; nothing happens where it has nothing."""
        # Not by a timeout of 0, which would be that of a thread that writes at this moment as well.
        with contextlib.suppress(TimeoutError):
            self._read_some(socket.MSG_DONTWAIT)


class _Tls(_Buffered, SSLTransport):  # type: ignore[misc]
    def read_ready(self) -> None:
        """Read what the socket has, without waiting; one thread at a time, as for all of a TLS connection."""
        with contextlib.suppress(TimeoutError), self.having_timeout(0):
            self._read_some()


class Channel(pyamqp.Channel):  # type: ignore[misc]
    """kombu's channel, with many acknowledgements in one write, and deliveries taken apart in one go."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.openers: dict[bytes, Opener] = {}
        """By consumer tag, who takes what `Connection.drain_ready` finds; the rest goes to callbacks."""

    def ack_all(self, acks: Iterable[tuple[int, bool]]) -> None:
        """Acknowledge deliveries: tags, each with whether it means all before it as well.

        Raises
        ------
        amqp.exceptions.RecoverableConnectionError
            Where the connection or the channel is closed.
        """
        connection = self.connection
        if connection is None:
            raise RecoverableConnectionError("connection already closed")
        frames = [
            _ACK.pack(1, self.channel_id, _ACK_SIZE, *spec.Basic.Ack, tag, multiple, END)
            for tag, multiple in acks
        ]
        if frames:
            connection.transport.write(b"".join(frames))
            connection.bytes_sent += len(frames)  # what heartbeats go by

    def prepare(self, exchange: str, routing_key: str, properties: bytes, body: bytes) -> Prepared:
        """Make a message ready for `publish_all`; its properties are a `property_list`.

        Raises
        ------
        ValueError
            For a name of more than 255 bytes, and for properties that do not fit into one frame.
        """
        room = self.connection.frame_max - AROUND - _CONTENT_SIZE
        if len(properties) > room:
            raise ValueError(f"{len(properties)} bytes of properties and headers, where {room} have room")
        return _publish(self.channel_id, exchange, routing_key), properties, body

    def publish_all(self, messages: Iterable[Prepared], timeout: float) -> None:
        """Publish messages, all mandatory, in a few writes.

        ``timeout`` is in seconds, for each write: under an alarm the broker stops reading.

        Raises
        ------
        amqp.exceptions.RecoverableConnectionError
            Where the connection or the channel is closed, or the broker does not read.
        """
        connection = self.connection
        if connection is None:
            raise RecoverableConnectionError("connection already closed")
        channel, largest = self.channel_id, connection.frame_max - AROUND
        gathered: list[bytes] = []
        size = 0
        for method, properties, body in messages:
            header = _CONTENT.pack(2, channel, len(properties) + _CONTENT_SIZE, _BASIC, 0, len(body))
            gathered += (method, header, properties, _END)
            for at in range(0, len(body), largest):
                piece = body[at : at + largest]
                gathered += (FRAME.pack(3, channel, len(piece)), piece, _END)
            size += len(properties) + len(body)
            if size > _CHUNK:
                self._write(gathered, timeout)
                gathered, size = [], 0
        self._write(gathered, timeout)

    def _write(self, pieces: list[bytes], timeout: float) -> None:
        connection = self.connection
        try:
            with connection.transport.having_timeout(timeout):
                connection.transport.write(b"".join(pieces))
        except TimeoutError:
            # The socket is of no more use: nobody knows how much of a frame went out.
            raise RecoverableConnectionError(f"the broker has read nothing for {timeout:g} s") from None
        connection.bytes_sent += 1  # what heartbeats go by


@lru_cache(maxsize=1024)
def _publish(channel: int, exchange: str, routing_key: str) -> bytes:
    """Give the frame of a mandatory publish (section 1.8.3.7)."""
    names = (name.encode() for name in (exchange, routing_key))
    strings = b"".join(bytes([len(name)]) + name for name in names)
    payload = _METHOD.pack(*spec.Basic.Publish, 0) + strings + b"\x01"
    return FRAME.pack(1, channel, len(payload)) + payload + _END


class Connection(pyamqp.Connection):  # type: ignore[misc]
    """kombu's connection over a buffered transport."""

    Channel = Channel

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, frame_handler=frame_handler, **options)
        self._deliveries = Deliveries(self._opener)

    def Transport(  # noqa: N802 - the name that py-amqp calls
        self,
        host: str,
        connect_timeout: float | None,
        tls: Any = False,
        read_timeout: float | None = None,
        write_timeout: float | None = None,
        **options: Any,
    ) -> Any:
        """Make the transport; all arguments are py-amqp's."""
        options |= {"connect_timeout": connect_timeout, "read_timeout": read_timeout}
        return (_Tls if tls else _Tcp)(host, ssl=tls, write_timeout=write_timeout, **options)

    def blocking_read(self, timeout: float | None = None) -> Any:
        """Handle one frame; wait at most ``timeout`` seconds where none is here."""
        transport = self.transport
        frame = transport.take()
        if frame is None:
            with transport.having_timeout(timeout):
                frame = transport.read_frame()
        return self.on_inbound_frame(frame)

    def close(self, *arguments: Any, **options: Any) -> None:
        """Say goodbye, and close the socket whatever comes before the answer: a consumer's end, for one."""
        try:
            super().close(*arguments, **options)
        finally:
            if self._transport is not None:
                self.collect()

    def ready(self) -> bool:
        """Tell whether there is something to handle that makes no socket readable."""
        return bool(self.connected and self.transport.ready())

    def holds(self) -> bool:
        """Say whether the broker cannot have given this connection up for its silence.

        It does so two heartbeats after the last word that it has heard, or later; what was handed out is then
        somebody else's, and what we write meanwhile is answered by a reset, or not yet.
        """
        return bool(self.connected) and (
            not self.heartbeat or bool(self.transport.silence() < 2 * self.heartbeat)
        )

    def drain_ready(self, limit: int) -> int:
        """Dispatch at most ``limit`` methods that are here already, and say how many; never waits.

        For the outermost loop, after ``select`` or `ready`; never for a call that waits for an answer.
        """
        transport, handle, deliveries = self.transport, self.on_inbound_frame, self._deliveries
        if not transport.ready():
            transport.read_ready()
        count = 0
        while count < limit:
            delivery = transport.take_delivery(deliveries)
            if delivery is not None:
                self.bytes_recv += 3  # frames; what heartbeats go by
                take, tag, body = delivery
                take(tag, body)
                count += 1
                continue
            frame = transport.take()
            if frame is None:
                break
            if handle(frame):
                count += 1
        return count

    def _opener(self, channel: int, consumer_tag: bytes) -> Opener | None:
        found = self.channels.get(channel)
        return None if found is None or found.is_closing else found.openers.get(consumer_tag)


class Transport(pyamqp.Transport):  # type: ignore[misc]
    """kombu's AMQP transport with the classes above; register it in ``kombu.transport.TRANSPORT_ALIASES``."""

    Connection = Connection
