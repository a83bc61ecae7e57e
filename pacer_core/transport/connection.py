"""Connections to a broker: kombu's, with messages left as they came."""

from __future__ import annotations

import contextlib
import logging
import ssl
from typing import Any
from uuid import uuid4

from kombu import Connection
from kombu.transport import TRANSPORT_ALIASES

from pacer_core.config.model import Broker
from pacer_core.model.errors import BrokerError
from pacer_core.model.secrets import redact
from pacer_core.transport import embedded
from pacer_core.transport.amqp import buffered
from pacer_core.transport.amqp.deliveries import Contents, named

log = logging.getLogger("pacer.transport")

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
    """Make PACER's transports known to kombu."""
    TRANSPORT_ALIASES[AMQP] = f"{__name__}:{AmqpTransport.__name__}"
    embedded.register()


def connect(broker: Broker, purpose: str) -> Any:
    """Open a connection, to the first node of the broker that answers.

    Raises
    ------
    BrokerError
        Where the broker cannot be reached, refuses the credentials (without naming them), or is too old.
    """
    register()
    if broker.embedded:
        return _established(Connection(broker.url))
    failures: list[str] = []
    for host, port in broker.addresses:
        name = f"pacer {purpose} {uuid4().hex[:8]}"
        connection = Connection(
            transport=AMQP,
            hostname=host,
            port=port,
            userid=broker.username,
            password=broker.password.reveal() if broker.password else None,
            virtual_host=_VHost(broker.v_host),
            ssl=_tls(broker, host),
            heartbeat=broker.heartbeat.total_seconds(),
            connect_timeout=broker.connect_timeout.total_seconds(),
            transport_options={"client_properties": {"connection_name": name}},
        )
        try:
            return _check_version(_established(connection), broker)
        except _CannotConnectError as error:
            failures.append(f"{host}:{port}: {error}")
    raise BrokerError(f"cannot connect to {broker}: {redact('; '.join(failures))}")


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
    properties = getattr(connection.connection, "server_properties", {})
    cluster = properties.get("cluster_name")
    return f"{cluster}/{broker.v_host.lstrip('/')}" if cluster else f"{broker}"


def _tls(broker: Broker, host: str) -> dict[str, Any] | bool:
    """Give py-amqp's options; its own defaults would check neither certificate nor name."""
    if broker.protocol != "amqps":
        return False
    return {
        "ca_certs": broker.tls.ca_file,
        "certfile": broker.tls.certificate_file,
        "keyfile": broker.tls.key_file,
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
