"""py-amqp with buffered reads and many acknowledgements in one write.

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
from collections.abc import Iterable
from struct import Struct
from typing import Any

from amqp import spec
from amqp.exceptions import RecoverableConnectionError, UnexpectedFrame
from amqp.transport import SSLTransport, TCPTransport
from kombu.transport import pyamqp

from pacer_core.transport.lenient import frame_handler

_CHUNK = 64 * 1024
_HEAD = Struct(">BHI")  # AMQP 0-9-1, section 2.3.5: type, channel, size; then the payload and the end octet
_OVERHEAD = _HEAD.size + 1
_END = 0xCE
_ACK = Struct(">BHIHHQBB")  # a whole frame: type, channel, size; class, method, delivery tag, multiple; end
_ACK_SIZE = 13

Frame = tuple[int, int, bytes]


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

    def _write_whole(self, data: Any) -> None:
        # py-amqp's writer has a lock of its own, which `Channel.ack_all` cannot take.
        with self._write_lock:
            self._write_all(data)

    def take(self) -> Frame | None:
        """Give the next frame that is here in full, without touching the socket."""
        buffer, at = self._buffer, self._at
        left = len(buffer) - at
        if left < _OVERHEAD:
            return None
        kind, channel, size = _HEAD.unpack_from(buffer, at)
        if left < size + _OVERHEAD:
            return None
        end = at + _HEAD.size + size
        if buffer[end] != _END:
            raise UnexpectedFrame(f"received frame end {buffer[end]:#04x}, expected {_END:#04x}")
        self._at = end + 1
        return kind, channel, buffer[end - size : end]

    def read_frame(self) -> Frame:
        """Give the next frame, waiting for it where it is not here; a timeout loses nothing."""
        while (frame := self.take()) is None:
            self._read_some()
        return frame

    def ready(self) -> bool:
        """Tell whether there is something that ``select`` does not see: a whole frame, or bytes in TLS."""
        left = len(self._buffer) - self._at
        if left >= _OVERHEAD and left >= _HEAD.unpack_from(self._buffer, self._at)[2] + _OVERHEAD:
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
    """kombu's channel, with many acknowledgements in one write."""

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
            _ACK.pack(1, self.channel_id, _ACK_SIZE, *spec.Basic.Ack, tag, multiple, _END)
            for tag, multiple in acks
        ]
        if frames:
            connection.transport.write(b"".join(frames))
            connection.bytes_sent += len(frames)  # what heartbeats go by


class Connection(pyamqp.Connection):  # type: ignore[misc]
    """kombu's connection over a buffered transport."""

    Channel = Channel

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, frame_handler=frame_handler, **options)

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

    def ready(self) -> bool:
        """Tell whether there is something to handle that makes no socket readable."""
        return bool(self.connected and self.transport.ready())

    def drain_ready(self, limit: int) -> int:
        """Dispatch at most ``limit`` methods that are here already, and say how many; never waits.

        For the outermost loop, after ``select`` or `ready`; never for a call that waits for an answer.
        """
        transport, handle = self.transport, self.on_inbound_frame
        if not transport.ready():
            transport.read_ready()
        count = 0
        while count < limit and (frame := transport.take()) is not None:
            if handle(frame):
                count += 1
        return count


class Transport(pyamqp.Transport):  # type: ignore[misc]
    """kombu's AMQP transport with the classes above; register it in ``kombu.transport.TRANSPORT_ALIASES``."""

    Connection = Connection
