"""What YAML says of a Redis."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from attrs import Attribute, field, frozen, validators

from pacer_core import Secret

_SECOND = timedelta(seconds=1)
_TEN_SECONDS = timedelta(seconds=10)


def _name(_: Any, __: Attribute[str], value: str) -> None:
    if not value or set(value) & set("{}"):
        raise ValueError("it is a name without braces, and not empty")


@frozen
class Tls:
    """Whom to trust, and what to show, with ``protocol: rediss``.

    Attributes
    ----------
    ca_file
        Authorities to trust instead of the system's.
    certificate_file, key_file
        A certificate of our own, where the server wants one.
    """

    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None


@frozen
class Sentinel:
    """Where to ask which Redis is the master.

    Attributes
    ----------
    hosts
        The sentinels, each with or without a port (``sentinel-2:26380``).
    service
        What they call the master.
    username, password
        The account at the sentinels, where they want one.
    """

    hosts: tuple[str, ...] = field(validator=validators.min_len(1))
    service: str
    username: str | None = None
    password: Secret | None = None


@frozen
class Require:
    """What a Redis has to keep before its answer counts as a confirm.

    Attributes
    ----------
    appendfsync
        ``always``: each write is on disk when it is answered; nothing is lost. ``everysec``: a crash of the
        machine loses up to a second or two of what was confirmed. ``any``: whatever there is, even nothing.
    replicas
        How many replicas have to have received a write as well (``WAIT``).
    wait
        How long they may take; after that the write counts as not confirmed, and is repeated. Less than
        ``timeout``.
    """

    appendfsync: Literal["always", "everysec", "any"] = "always"
    replicas: int = field(default=0, validator=validators.ge(0))
    wait: timedelta = field(default=timedelta(seconds=5), validator=validators.ge(timedelta(milliseconds=1)))


@frozen
class RedisOptions:
    """Redis from 6.2 on, or Valkey: one server, a master that sentinels know, or a cluster.

    Attributes
    ----------
    host, port
        Where it listens; not needed with ``sentinel``, and of a cluster any node.
    hosts
        More nodes of a cluster to ask, each with or without a port, where the first one is away.
    username, password
        The account; its rights are in the how-to.
    database
        The number of the database; a cluster has number 0 only.
    tls
        Whom to trust, and what to show, with ``protocol: rediss``.
    sentinel
        Where to ask which Redis is the master, instead of ``host`` and ``port``.
    cluster
        Whether it is a cluster: all keys of this broker are then on the node that has its name's slot.
    prefix
        The broker's name: all its keys begin with it, in braces. Two names in one Redis are two brokers.
    require
        What has to be kept before a message counts as sent.
    lease
        How long a process may be silent before others get what it holds; a third of it is between two signs
        of life.
    timeout
        How long an answer may take before the connection counts as lost.
    connect_timeout
        How long connecting may take.
    """

    host: str = "localhost"
    port: int = field(default=6379, validator=[validators.ge(1), validators.le(65535)])
    hosts: tuple[str, ...] = ()
    username: str | None = None
    password: Secret | None = None
    database: int = field(default=0, validator=validators.ge(0))
    tls: Tls = field(factory=Tls)
    sentinel: Sentinel | None = None
    cluster: bool = False
    prefix: str = field(default="pacer", validator=_name)
    require: Require = field(factory=Require)
    lease: timedelta = field(default=_TEN_SECONDS, validator=validators.ge(_SECOND))
    timeout: timedelta = field(default=_TEN_SECONDS, validator=validators.ge(_SECOND))
    connect_timeout: timedelta = field(default=_TEN_SECONDS, validator=validators.ge(_SECOND))

    def __attrs_post_init__(self) -> None:
        """Refuse what excludes each other."""
        if self.cluster and self.sentinel is not None:
            raise ValueError("a cluster has no sentinels: say 'cluster' or 'sentinel'")
        if self.cluster and self.database:
            raise ValueError("a cluster has database 0 only")
        if self.require.replicas and self.require.wait >= self.timeout:
            raise ValueError(
                f"'require.wait' ({self.require.wait.total_seconds():g} s) has to be less than 'timeout' "
                f"({self.timeout.total_seconds():g} s): the connection would count as lost while replicas "
                "still have time"
            )

    @property
    def places(self) -> tuple[str, ...]:
        """Where it is, as names of errors and logs: hosts with their ports."""
        if self.sentinel is not None:
            return tuple(f"{host}:{port}" for host, port in addresses(self.sentinel.hosts, 26379))
        first = () if self.cluster and self.hosts else ((self.host, self.port),)
        return tuple(f"{host}:{port}" for host, port in (*first, *addresses(self.hosts, self.port)))


def addresses(hosts: tuple[str, ...], port: int) -> tuple[tuple[str, int], ...]:
    """Read ``host``, ``host:port`` or ``[::1]:port``."""

    def address(host: str) -> tuple[str, int]:
        name, colon, number = host.rpartition(":")
        if colon and number.isdigit() and (":" not in name or name.endswith("]")):
            return name.strip("[]"), int(number)
        return host.strip("[]"), port

    return tuple(address(host) for host in hosts)
