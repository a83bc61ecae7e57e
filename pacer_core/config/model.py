"""The configuration as typed data; every class is one mapping of the YAML file, in camel case there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Literal

from attrs import field, frozen

from pacer_core.logs import Secret
from pacer_core.pipeline import Pipeline
from pacer_core.routing import Route

Protocol = Literal["amqp", "amqps", "memory"]


@frozen
class Tls:
    """``tls`` of a broker with ``protocol: amqps``; the server's name is always checked.

    Without ``ca_file`` the system's authorities are trusted; ``certificate_file`` and ``key_file`` (PEM) are
    what this client shows.
    """

    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None


@frozen
class Broker:
    """``brokers.main``: where messages come from.

    ``hosts`` names the nodes of a cluster, each with or without a port; they are tried in turn. ``protocol:
    memory`` is a broker inside the process, for trying things out: it keeps nothing, and no other process
    sees it.
    """

    protocol: Protocol = "amqp"
    host: str = "localhost"
    hosts: tuple[str, ...] = ()
    port: int | None = None
    username: str | None = None
    password: Secret | None = None
    v_host: str = "/"
    tls: Tls = field(factory=Tls)
    heartbeat: timedelta = timedelta(seconds=30)
    connect_timeout: timedelta = timedelta(seconds=10)

    @property
    def embedded(self) -> bool:
        """Whether the broker lives inside this process."""
        return self.protocol == "memory"

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Every host and port to try, in order."""
        port = self.port or default_port(self.protocol)
        return tuple(_address(host, port) for host in self.hosts or (self.host,))

    def __str__(self) -> str:
        """Name the broker in errors and logs, without credentials."""
        if self.embedded:
            return "the in-memory broker"
        where = ",".join(f"{host}:{port}" for host, port in self.addresses)
        return f"{self.protocol}://{where}/{self.v_host.lstrip('/')}"


def _address(host: str, port: int) -> tuple[str, int]:
    """Read ``host``, ``host:port`` or ``[::1]:port``."""
    name, colon, number = host.rpartition(":")
    if colon and number.isdigit() and (":" not in name or name.endswith("]")):
        return name.strip("[]"), int(number)
    return host.strip("[]"), port


def default_port(protocol: str) -> int:
    """Give the port that IANA registered for a protocol."""
    return 5671 if protocol == "amqps" else 5672


@frozen
class ForwardingRule:
    """One of a recipient's ``forwardingRules``.

    What came by ``from_exchange`` with a routing key that matches ``with_routing_key`` (a topic pattern:
    ``*`` is one word, ``#`` any number) is also published at ``to_broker``, by default the recipient itself.
    """

    from_exchange: str
    with_routing_key: str = "#"
    to_broker: str | None = None


@frozen(kw_only=True)
class Recipient(Broker):
    """One entry of ``brokers.recipients``: another broker, and what is forwarded to it."""

    name: str
    forwarding_rules: tuple[ForwardingRule, ...] = ()


@frozen
class Brokers:
    """``brokers``."""

    main: Broker = field(factory=Broker)
    recipients: tuple[Recipient, ...] = ()


@frozen
class Exchange:
    """One entry of ``exchanges``."""

    name: str
    type: Literal["direct", "topic", "fanout", "headers"] = "direct"
    declare: Literal["active", "passive"] = "active"


@frozen
class Queue:
    """One entry of ``queues``; ``declare: passive`` uses a queue that somebody else owns, as it is.

    ``headers`` bind it to a headers exchange (with ``x-match`` among them: all by default). Priorities, from
    0 to ``max_priority_level``, need ``type: classic``.
    """

    name: str
    exchange: str | None = None
    routing_key: str | None = None
    headers: dict[str, str] = field(factory=dict)
    priority_enabled: bool = False
    max_priority_level: int = 10
    type: Literal["quorum", "classic"] = "quorum"
    declare: Literal["active", "passive"] = "active"


@frozen
class Retries:
    """``retries`` of a consumer: how often a failing message is tried again, and after which delays.

    The delay starts at ``delay`` and grows by ``factor`` with each attempt up to ``max_delay``; each is
    rounded up to a step of the broker's ladder of retry queues. After ``limit`` retries the message is dead.
    """

    limit: int = 20
    delay: timedelta = timedelta(seconds=1)
    factor: float = 4.0
    max_delay: timedelta = timedelta(hours=1)


@frozen
class NotYetPolicy:
    """``notYet`` of a consumer: how long a message waits for what another one has still to bring."""

    for_: timedelta = timedelta(hours=24)


@frozen
class Consumer:
    """One entry of ``consumers``: a consumer type bound to queues, workers and integrations."""

    type: str
    queues: tuple[str, ...]
    name: str = ""
    enabled: bool = True
    workers: int = 1
    concurrency: int = 8
    prefetch: int | None = None
    integrations: tuple[str | dict[str, str], ...] = ()
    task_timeout: timedelta = timedelta(minutes=15)
    crashes: int = 3
    retries: Retries = field(factory=Retries)
    not_yet: NotYetPolicy = field(factory=NotYetPolicy)
    options: Any = None
    task_options: Any = None

    def prefetch_for(self, keyed: bool) -> int:
        """Give how many messages may be in hand: what waits in lanes is held in memory."""
        if self.prefetch is not None:
            return self.prefetch
        return 256 if keyed else max(2 * self.concurrency, 50 if self.concurrency == 1 else 0)


@frozen
class Logging:
    """``logging``: what goes to standard error."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"


@frozen
class Processes:
    """``processes``: how they end, and where they keep what has to outlive them."""

    shutdown_grace: timedelta = timedelta(seconds=30)
    """How long what is in hand may take to finish after SIGTERM; what does not goes back to its queue."""
    state_folder: str | None = None
    """Where crashes are counted; by default a folder of its own below ``$XDG_STATE_HOME/pacer``."""


@frozen
class PluginOptions:
    """``plugins``: entry points to leave out."""

    block: tuple[str, ...] = ()


@frozen(eq=False)
class Integration:
    """One configured instance of an integration type: its name in the YAML, and its structured options."""

    name: str
    type: Any
    options: Any


@frozen(eq=False)
class ConsumerPlan:
    """One consumer, ready to run: its configuration, its pipeline, and the integrations that it opens."""

    config: Consumer
    pipeline: Pipeline
    integrations: Mapping[str, Integration]
    """By the name of the integration type."""

    @property
    def name(self) -> str:
        """The consumer's name, unique in the configuration."""
        return self.config.name


@frozen(eq=False)
class Config:
    """A whole configuration, checked against the installed plugins."""

    file: str
    broker: Broker
    recipients: tuple[Recipient, ...]
    routes: tuple[Route, ...]
    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    consumers: tuple[ConsumerPlan, ...]
    """The enabled ones."""
    logging: Logging
    processes: Processes
    route_message: Callable[..., Any]

    def queue(self, name: str) -> Queue:
        """Give the queue of that name."""
        return next(queue for queue in self.queues if queue.name == name)
