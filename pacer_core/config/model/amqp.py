"""AMQP 0-9-1, the core's own transport: the keys that a broker of this kind has in the file."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from attrs import Attribute, field, frozen

from pacer_core.config.sections import Port, Timeout
from pacer_core.model.secrets import Secret
from pacer_core.model.transports import CORE_PROTOCOLS, Capabilities, TransportType

_TEN_SECONDS = Timeout(timedelta(seconds=10))


@frozen
class Tls:
    """Whom a connection over TLS trusts, and what it shows; the server's name is always checked.

    Attributes
    ----------
    ca_file
        The authorities to trust, in PEM; without it, the system's.
    certificate_file, key_file
        The client's certificate and its key, in PEM, where the broker asks for one.
    """

    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None


def _whole_seconds(_: Amqp, attribute: Attribute[timedelta], value: timedelta) -> None:
    # AMQP tells the other side whole seconds, and takes 0 for "never": half-open connections would stay.
    if value < timedelta(seconds=1) or value % timedelta(seconds=1):
        raise ValueError("give one second or more, in whole seconds")


def _ports_fit(_: Amqp, __: Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    if any(not 1 <= _address(one, 1)[1] <= 65_535 for one in value):
        raise ValueError("a port should be 1 to 65535")


@frozen
class Amqp:
    """RabbitMQ, over AMQP 0-9-1; ``amqps`` is the same over TLS.

    Attributes
    ----------
    host
        A name or an address.
    hosts
        The nodes of a cluster instead, each with or without a port (``rabbit-2:5673``); tried in turn.
    port
        By default 5672, and 5671 for ``amqps``.
    username, password
        The account; without them, RabbitMQ's ``guest``, which it accepts from its own machine alone.
    v_host
        The virtual host; ``""`` is a name too.
    tls
        Whom to trust, and what to show, with ``protocol: amqps``.
    heartbeat
        After how long without a sign of life a connection counts as lost, on either side.
    connect_timeout
        How long connecting may take.
    """

    host: str = "localhost"
    hosts: tuple[str, ...] = field(default=(), validator=_ports_fit)
    port: Port | None = None
    username: str | None = None
    password: Secret | None = None
    v_host: str = "/"
    tls: Tls = field(factory=Tls)
    heartbeat: timedelta = field(default=timedelta(seconds=30), validator=_whole_seconds)
    connect_timeout: Timeout = _TEN_SECONDS

    def addresses(self, protocol: str) -> tuple[tuple[str, int], ...]:
        """Give every host and port to try, in order; IANA registered the ports of the protocols."""
        port = self.port or (5671 if protocol == "amqps" else 5672)
        return tuple(_address(host, port) for host in self.hosts or (self.host,))


def _address(host: str, port: int) -> tuple[str, int]:
    """Read ``host``, ``host:port`` or ``[::1]:port``."""
    name, colon, number = host.rpartition(":")
    if colon and number.isdigit() and (":" not in name or name.endswith("]")):
        return name.strip("[]"), int(number)
    return host.strip("[]"), port


def _named(options: Any, protocol: str) -> str:
    where = ",".join(f"{host}:{port}" for host, port in options.addresses(protocol))
    return f"{protocol}://{where}/{options.v_host.lstrip('/')}"


def _account(options: Amqp) -> tuple[str, str, str] | None:
    """Give what a key is derived from; everybody knows the password of ``guest``."""
    password = None if options.password is None else options.password.reveal()
    if password in (None, "guest"):
        return None
    return options.username or "guest", password or "", options.v_host


AMQP = TransportType(
    protocols=CORE_PROTOCOLS,
    options=Amqp,
    capabilities=Capabilities(
        survives_kill=True,
        several_processes=True,
        several_hosts=True,
        delays=True,
        priorities=True,
        heartbeats=True,
        delivery_limits=True,
        partitions=True,
    ),
    connect=None,
    address=_named,
    account=_account,
)
"""The core's own transport: what opens it stands above the configuration."""
