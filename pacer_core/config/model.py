"""The configuration as typed data; every class is one mapping of the YAML file, in camel case there."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from attrs import Attribute, field, frozen

from pacer_core.config.structure import Positive
from pacer_core.logs import Secret
from pacer_core.pipeline import Pipeline
from pacer_core.routing import Route

Protocol = Literal["amqp", "amqps", "sqlite", "memory"]
_ONE, _THREE, _FIVE, _EIGHT, _HUNDRED = map(Positive, (1, 3, 5, 8, 100))


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
    hosts: tuple[str, ...] = ()
    port: int | None = None
    username: str | None = None
    password: Secret | None = None
    path: str | None = None
    v_host: str = "/"
    tls: Tls = field(factory=Tls)
    heartbeat: timedelta = field(default=timedelta(seconds=30), validator=_whole_seconds)
    connect_timeout: timedelta = timedelta(seconds=10)

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
        port = self.port or default_port(self.protocol)
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


def default_port(protocol: str) -> int:
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


@frozen
class Exchange:
    """An exchange that queues are bound to; durable, and declared at start-up.

    Attributes
    ----------
    name
        Its name at the broker.
    type
        As in AMQP 0-9-1.
    declare
        ``passive`` uses an exchange that somebody else owns, as it is; it has to exist.
    """

    name: str
    type: Literal["direct", "topic", "fanout", "headers"] = "direct"
    declare: Literal["active", "passive"] = "active"


@frozen
class Queue:
    """A queue that consumers read; durable, and declared at start-up with its dead queue ``NAME.dead``.

    Attributes
    ----------
    name
        Its name at the broker.
    exchange
        The exchange, one of ``exchanges``, that it is bound to; without one it is reached by its own name.
    routing_key
        The routing key of the binding; by default the queue's name.
    headers
        For a headers exchange: the headers of the binding, with ``x-match`` among them (``all`` by default).
    priority_enabled, max_priority_level
        Messages of higher priority come first, from 0 to this level; only with ``type: classic``.
    type
        As in RabbitMQ; the dead queue is always a quorum queue.
    declare
        ``passive`` uses a queue that somebody else owns, as it is, and binds it to nothing; it has to exist.
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
    """How often a message that fails is tried again, and after which delays.

    Each delay is rounded up to a step of the broker's ladder of retry queues: 1 s, 5 s, 15 s, 1 min, 5 min,
    15 min, 1 h, 6 h.

    Attributes
    ----------
    limit
        After so many retries the message is dead.
    delay
        Before the first retry.
    factor
        By how much the delay grows with each further one.
    max_delay
        How long it grows at most.
    """

    limit: int = 20
    delay: timedelta = timedelta(seconds=1)
    factor: float = 4.0
    max_delay: timedelta = timedelta(hours=1)


@frozen
class NotYetPolicy:
    """How long a message waits for what another one has still to bring: a dataset for its investigation.

    Attributes
    ----------
    for_
        Counted from the first sight of the message; then it is dead. With 0 it never waits.
    """

    for_: timedelta = timedelta(hours=24)


@frozen
class Consumer:
    """A consumer type bound to queues, workers and integrations.

    Attributes
    ----------
    type
        A consumer type that an installed plugin registers; ``pacer plugins list`` shows them.
    queues
        The queues, of ``queues``, that it reads: one at least.
    name
        By default its type; needed where two consumers have one type.
    enabled
        With ``false`` it is checked and not run.
    workers
        How many processes run it; the consumers of a type with keys share one process instead.
    concurrency
        How many threads run tasks in each process; with 1, it is the thread that reads the broker.
    prefetch
        How many messages a process may hold: by default twice the threads, 50 with one thread, and 256 where
        the type has keys.
    integrations
        The integrations that its tasks may use: names of ``integrations``, or ``{TYPE: NAME}``. A task whose
        needs are not all named here does not run.
    task_timeout
        How long the tasks of one message may run; then the process is replaced and the message retried.
    crashes
        After so many deaths of a process that had the message inside a task, the message is dead.
    retries
        What happens after a failure.
    not_yet
        What happens when something that another message brings is missing.
    options
        The options of its type.
    task_options
        By task name, the options of tasks that have their own.
    """

    type: str
    queues: tuple[str, ...]
    name: str = ""
    enabled: bool = True
    workers: Positive = _ONE
    concurrency: Positive = _EIGHT
    prefetch: Positive | None = None
    integrations: tuple[str | dict[str, str], ...] = ()
    task_timeout: timedelta = timedelta(minutes=15)
    crashes: Positive = _THREE
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
class LogConsole:
    """What goes to standard error.

    Attributes
    ----------
    enabled
        Whether anything does.
    format
        ``plain`` is for people; ``json`` is one object a line, in the Elastic Common Schema.
    """

    enabled: bool = True
    format: Literal["plain", "json"] = "plain"


@frozen
class LogFile:
    """What goes to a file, to which all processes write.

    Attributes
    ----------
    enabled
        Whether anything does.
    path
        The file, as seen from where PACER runs; on a local disk.
    format
        As for the console.
    rotate
        Whether PACER rotates the file; with ``false`` that is left to others, such as logrotate.
    max_m_bytes
        After so many MiB it is rotated to ``PATH.1``.
    backup_count
        How many old files are kept.
    """

    enabled: bool = False
    path: str = "logs/pacer.log"
    format: Literal["plain", "json"] = "plain"
    rotate: bool = True
    max_m_bytes: Positive = _HUNDRED
    backup_count: Positive = _FIVE


@frozen
class Logging:
    """What is logged, and where it goes.

    Attributes
    ----------
    log_level
        PACER's own records of this level and above; of other libraries, warnings and above.
    console
        Standard error.
    file
        A file.
    """

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    console: LogConsole = field(factory=LogConsole)
    file: LogFile = field(factory=LogFile)


@frozen
class Health:
    """How PACER is seen from outside, over HTTP: ``/livez``, ``/readyz``, ``/metrics`` and ``/status``.

    Attributes
    ----------
    enabled
        Whether it answers at all.
    host
        The address that it answers at; by default for this machine alone. There are no passwords.
    port
        With 0, one that is free; the log says which.
    """

    enabled: bool = True
    host: str = "127.0.0.1"
    port: int = 9807


@frozen
class Tracing:
    """Spans of OpenTelemetry, for which ``pacer-core[otel]`` has to be installed.

    Attributes
    ----------
    enabled
        Whether there are any. Where they go is told by OpenTelemetry's own environment variables, such as
        ``OTEL_EXPORTER_OTLP_ENDPOINT``.
    """

    enabled: bool = False


@frozen
class Processes:
    """How processes end, and where they keep what has to outlive them.

    Attributes
    ----------
    shutdown_grace
        How long what is in hand may take to finish after SIGTERM; what does not goes back to its queue.
    state_folder
        Where crashes are counted, and plugins keep what waits; on a local disk, by default a folder of its
        own below ``$XDG_STATE_HOME/pacer``.
    """

    shutdown_grace: timedelta = timedelta(seconds=30)
    state_folder: str | None = None


@frozen
class PluginOptions:
    """Which plugins take part.

    Attributes
    ----------
    block
        Names of entry points to leave out, as ``pacer plugins list`` shows them.
    """

    block: tuple[str, ...] = ()


@frozen(eq=False)
class Integration:
    """One configured instance of an integration type: its name in the YAML, and its structured options."""

    name: str
    type: Any
    options: Any


@frozen(eq=False)
class LogHandler:
    """One configured place for records beside the console and the file: its type, and its options."""

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
    health: Health
    tracing: Tracing
    processes: Processes
    route_message: Callable[..., Any]
    listeners: Mapping[str, Callable[..., Any]] = field(factory=dict)
    """By plugin, its ``pacer_message_settled``."""
    log_handlers: tuple[LogHandler, ...] = ()
    disabled: tuple[ConsumerPlan, ...] = ()
    """The consumers that are switched off: their queues go on gathering messages."""

    @property
    def state_folder(self) -> Path:
        """The folder of what has to outlive processes; it may not exist yet."""
        if self.processes.state_folder is not None:
            return Path(self.processes.state_folder)
        home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        file = Path(self.file).resolve()
        return home / "pacer" / f"{file.stem}-{sha256(str(file).encode()).hexdigest()[:12]}"

    def queue(self, name: str) -> Queue:
        """Give the queue of that name."""
        return next(queue for queue in self.queues if queue.name == name)
