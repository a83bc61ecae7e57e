"""The brokers: ``brokers:`` of the file, with what is forwarded to which."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from attrs import Attribute, field, frozen

from pacer_core.config.sections import Port, Timeout
from pacer_core.model.secrets import Secret

Protocol = Literal["amqp", "amqps", "sqlite", "memory"]
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


def _whole_seconds(_: Broker, attribute: Attribute[timedelta], value: timedelta) -> None:
    # AMQP tells the other side whole seconds, and takes 0 for "never": half-open connections would stay.
    if value < timedelta(seconds=1) or value % timedelta(seconds=1):
        raise ValueError("give one second or more, in whole seconds")


def _ports_fit(_: Broker, __: Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    if any(not 1 <= _address(one, 1)[1] <= 65_535 for one in value):
        raise ValueError("a port should be 1 to 65535")


@frozen
class Broker:
    """Where messages come from.

    Attributes
    ----------
    protocol
        ``amqps`` is AMQP 0-9-1 over TLS. ``sqlite`` is a broker in a file (``path``) for one machine,
        without a server: messages survive a killed process. ``memory`` is the same inside the process, for
        trying things out: it keeps nothing, and no other process sees it.
    host
        A name or an address.
    hosts
        The nodes of a cluster instead, each with or without a port (``rabbit-2:5673``); tried in turn.
    port
        By default 5672, and 5671 for ``amqps``.
    username, password
        The account; without them, RabbitMQ's ``guest``, which it accepts from its own machine alone.
    path
        The file of ``protocol: sqlite``, as seen from where PACER runs; on a local disk.
    v_host
        The virtual host; ``""`` is a name too.
    tls
        Whom to trust, and what to show, with ``protocol: amqps``.
    heartbeat
        After how long without a sign of life a connection counts as lost, on either side.
    connect_timeout
        How long connecting may take.
    """

    protocol: Protocol = "amqp"
    host: str = "localhost"
    hosts: tuple[str, ...] = field(default=(), validator=_ports_fit)
    port: Port | None = None
    username: str | None = None
    password: Secret | None = None
    path: str | None = None
    v_host: str = "/"
    tls: Tls = field(factory=Tls)
    heartbeat: timedelta = field(default=timedelta(seconds=30), validator=_whole_seconds)
    connect_timeout: Timeout = _TEN_SECONDS

    @property
    def embedded(self) -> bool:
        """Whether the broker is PACER's own, and needs no server."""
        return self.protocol in ("sqlite", "memory")

    @property
    def url(self) -> str:
        """The URL of an embedded broker, as its transport takes it."""
        return f"pacer+sqlite:///{self.path}" if self.protocol == "sqlite" else "pacer+memory://main"

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Every host and port to try, in order."""
        port = self.port or _default_port(self.protocol)
        return tuple(_address(host, port) for host in self.hosts or (self.host,))

    def __str__(self) -> str:
        """Name the broker in errors and logs, without credentials."""
        if self.embedded:
            return self.url
        where = ",".join(f"{host}:{port}" for host, port in self.addresses)
        return f"{self.protocol}://{where}/{self.v_host.lstrip('/')}"


def _address(host: str, port: int) -> tuple[str, int]:
    """Read ``host``, ``host:port`` or ``[::1]:port``."""
    name, colon, number = host.rpartition(":")
    if colon and number.isdigit() and (":" not in name or name.endswith("]")):
        return name.strip("[]"), int(number)
    return host.strip("[]"), port


def _default_port(protocol: str) -> int:
    """Give the port that IANA registered for a protocol."""
    return 5671 if protocol == "amqps" else 5672


@frozen
class ForwardingRule:
    """Which messages are also published at another broker.

    Attributes
    ----------
    from_exchange
        The exchange, one of ``exchanges``, that a message came by when it was first seen; ``""`` for what
        was sent to its queue directly.
    with_routing_key
        A topic pattern that its routing key matches: ``*`` is one word, ``#`` any number of them.
    to_broker
        The name of a recipient; by default the one that the rule stands at.
    """

    from_exchange: str
    with_routing_key: str = "#"
    to_broker: str | None = None


@frozen(kw_only=True)
class Recipient(Broker):
    """Another broker, and what is forwarded to it.

    Attributes
    ----------
    name
        What the rules, and the tasks of a message, call it.
    forwarding_rules
        Which messages go there.
    """

    name: str
    forwarding_rules: tuple[ForwardingRule, ...] = ()


@frozen
class Brokers:
    """The brokers that PACER talks to.

    Attributes
    ----------
    main
        The one that messages are read from.
    recipients
        Those to which messages are forwarded.
    """

    main: Broker = field(factory=Broker)
    recipients: tuple[Recipient, ...] = ()
