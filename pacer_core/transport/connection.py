"""Connections to a broker: kombu's, with messages left as they came."""

from __future__ import annotations

import contextlib
import logging
import ssl
from typing import Any
from uuid import uuid4

import amqp
from kombu import Connection
from kombu.transport import TRANSPORT_ALIASES

from pacer_core.config.model import Amqp, Broker
from pacer_core.model.errors import BrokerError
from pacer_core.model.secrets import redact
from pacer_core.transport.amqp import buffered
from pacer_core.transport.amqp.deliveries import Contents, named

log = logging.getLogger("pacer.transport")

BACKOFF = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds between attempts to reach a broker; the last one repeats."""
LOST = (amqp.exceptions.AMQPError, OSError, AttributeError)
"""What is raised where a connection goes away underneath one; py-amqp's dead ones raise AttributeError."""
GOODBYE = 2.0
"""Seconds that a broker has to answer when we leave."""
OLDEST = (3, 10)
"""The oldest RabbitMQ that keeps what PACER promises."""

AMQP = "pacer-amqp"


def contents(message: Any) -> Contents:
    """Read a delivered message.

    kombu's own message class is left out for AMQP: it would decompress a body that a header calls compressed,
    and refuse the message where it cannot.
    """
    properties = dict(message.properties)
    given = properties.pop("application_headers", None) or getattr(message, "headers", None) or {}
    for name in ("content_type", "content_encoding"):
        value = getattr(message, name, None)
        if value is not None:
            properties.setdefault(name, value)
    body = message.body.encode() if isinstance(message.body, str) else bytes(message.body or b"")
    return Contents(message.delivery_tag, body, message.delivery_info, properties, named(given))


class _AmqpChannel(buffered.Channel):
    def __init__(self, *arguments: Any, **kwargs: Any) -> None:
        super().__init__(*arguments, **kwargs)
        self.auto_decode = False  # bytes: an XML body declares its encoding itself


class _AmqpConnection(buffered.Connection):
    Channel = _AmqpChannel


class AmqpTransport(buffered.Transport):
    """The buffered AMQP transport with raw bodies."""

    Connection = _AmqpConnection


class _VHost(str):
    """A virtual host that counts as given although it is empty: kombu would take ``/`` instead."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return True


def register() -> None:
    """Make PACER's own transport known to kombu."""
    TRANSPORT_ALIASES[AMQP] = f"{__name__}:{AmqpTransport.__name__}"


def connect(broker: Broker, purpose: str) -> Any:
    """Open a connection, to the first node of the broker that answers.

    Raises
    ------
    BrokerError
        Where the broker cannot be reached, refuses the credentials (without naming them), or is too old.
    """
    if broker.transport.connect is None:
        return _over_amqp(broker, broker.options, purpose)
    try:
        return _established(broker.transport.connect(broker.options, broker.protocol))
    except _CannotConnectError as error:
        raise BrokerError(f"cannot connect to {broker}: {redact(str(error))}") from None


def _over_amqp(broker: Broker, options: Amqp, purpose: str) -> Any:
    failures: list[str] = []
    for host, port in options.addresses(broker.protocol):
        name = f"pacer {purpose} {uuid4().hex[:8]}"
        connection = unopened(options, broker.protocol, host, port, name)
        try:
            return _check_version(_established(connection), broker)
        except _CannotConnectError as error:
            failures.append(f"{host}:{port}: {error}")
    raise BrokerError(f"cannot connect to {broker}: {redact('; '.join(failures))}")


def unopened(options: Amqp, protocol: str, host: str, port: int, name: str) -> Any:
    """Give kombu's connection to one node of a RabbitMQ, by the name that its management shows."""
    register()
    return Connection(
        transport=AMQP,
        hostname=host,
        port=port,
        userid=options.username,
        password=options.password.reveal() if options.password else None,
        virtual_host=_VHost(options.v_host),
        ssl=_tls(options, protocol, host),
        heartbeat=options.heartbeat.total_seconds(),
        connect_timeout=options.connect_timeout.total_seconds(),
        transport_options={"client_properties": {"connection_name": name}},
    )


class _CannotConnectError(BrokerError):
    """One node did not take us."""


def hang_up(connection: Any) -> None:
    """Close a connection; what cannot say goodbye within `GOODBYE` seconds is left without it.

    A frozen broker never answers, and one under its memory alarm reads nothing from those who publish.
    """
    with contextlib.suppress(Exception):  # whatever it says, the connection is gone afterwards
        sock = getattr(connection.connection, "sock", None) if connection.connected else None
        if sock is not None:
            sock.settimeout(GOODBYE)
    with contextlib.suppress(Exception):
        connection.release()


def _established(connection: Any) -> Any:
    try:
        # Not connect(), which sleeps for two seconds and tries once more before it says that nobody answers.
        connection.ensure_connection(max_retries=0, reraise_as_library_errors=False)
    except (*connection.connection_errors, *connection.channel_errors) as error:
        connection.release()
        raise _CannotConnectError(f"{type(error).__name__}: {error}") from None
    return connection


def name_of(connection: Any, broker: Broker) -> str:
    """Give what a broker's virtual host is called everywhere: by the cluster's name, not an address."""
    options, properties = broker.options, getattr(connection.connection, "server_properties", None) or {}
    cluster = properties.get("cluster_name") if isinstance(options, Amqp) else None
    return f"{cluster}/{options.v_host.lstrip('/')}" if cluster else f"{broker}"


def _tls(options: Amqp, protocol: str, host: str) -> dict[str, Any] | bool:
    """Give py-amqp's options; its own defaults would check neither certificate nor name."""
    if protocol != "amqps":
        return False
    return {
        "ca_certs": options.tls.ca_file,
        "certfile": options.tls.certificate_file,
        "keyfile": options.tls.key_file,
        "cert_reqs": ssl.CERT_REQUIRED,
        "server_hostname": host,
    }


def _check_version(connection: Any, broker: Broker) -> Any:
    """Refuse a RabbitMQ that cannot keep what is promised: at-least-once dead-lettering came with 3.10."""
    properties = connection.connection.server_properties
    product, version = str(properties.get("product", "unknown")), str(properties.get("version", "0"))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if product != "RabbitMQ":
        log.warning("%s is %s %s; only RabbitMQ from 3.10 on is tested", broker, product, version)
    elif numbers < OLDEST:
        connection.release()
        raise BrokerError(f"{broker} is RabbitMQ {version}; PACER needs 3.10 or newer: upgrade the broker")
    return connection
