"""The brokers: ``brokers:`` of the file, with what is forwarded to which.

What a broker's mapping holds depends on its transport. So it is read in two pieces: `Brokers` has the keys
that each of them knows, and the transport's options class the others; `Broker` is both together.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from attrs import field, frozen

from pacer_core.config.model.amqp import AMQP, Amqp
from pacer_core.model.transports import Capabilities, TransportType

_NO_HEARTBEAT = timedelta(seconds=30)


@frozen
class Broker:
    """Where messages come from: a protocol, the options of its transport, and the transport itself."""

    protocol: str = "amqp"
    options: Any = field(factory=Amqp)
    transport: TransportType = AMQP

    @property
    def capabilities(self) -> Capabilities:
        """What the broker can do."""
        return self.transport.capabilities

    @property
    def beat(self) -> float:
        """How many seconds may pass before a connection is looked at again."""
        heartbeat = self.options.heartbeat if self.capabilities.heartbeats else _NO_HEARTBEAT
        return float(heartbeat.total_seconds()) / 4

    def __str__(self) -> str:
        """Name the broker in errors and logs, without credentials."""
        return self.transport.address(self.options, self.protocol)


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
    """Another broker, and what is forwarded to it."""

    name: str
    forwarding_rules: tuple[ForwardingRule, ...] = ()


@frozen(kw_only=True)
class Main:
    """Where messages come from; with the keys of its transport, which stand below.

    Attributes
    ----------
    protocol
        What kind of broker it is: ``amqp`` and ``amqps`` are RabbitMQ, others come with plugins.
    """

    protocol: str = "amqp"


@frozen(kw_only=True)
class Other(Main):
    """Another broker, and what is forwarded to it; with the keys of its transport, which stand below.

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

    main: Main = field(factory=Main)
    recipients: tuple[Other, ...] = ()
