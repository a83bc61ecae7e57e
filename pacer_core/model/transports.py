"""Kinds of broker: what a transport is called, what it can do, and how kombu opens it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import fields, frozen


@frozen(kw_only=True)
class Capabilities:
    """What a transport can do: what it cannot is a configuration error, not a surprise at night.

    Attributes
    ----------
    survives_kill
        A message that was handed out and not acknowledged comes back when its process is killed.
    several_processes
        More than one process sees the same queues. Without it everything runs in the process of
        ``pacer run``, and no other command can look inside.
    several_hosts
        Processes on more than one machine see the same queues.
    delays
        ``x-message-ttl`` with a dead-letter exchange brings a message back later.
    priorities
        ``x-max-priority`` lets a message overtake others.
    heartbeats
        Both sides of a connection give signs of life, as often as ``heartbeat`` of the transport's options
        says, a duration.
    order
        Messages of a queue come in the order in which they were sent, and returned ones in front; without it,
        of those queues alone of which `TransportType.keeps_order` says so.
    expiry
        A message leaves a queue that is read, or is browsed, when its time is over (``x-message-ttl``, or its
        own ``expiration``); without it, messages of a queue with ``x-message-ttl`` are seen by nobody until
        then, as those of the ladder.
    partitions
        A queue declared with ``x-single-active-consumer`` has one active consumer among all processes, and
        who subscribes with a higher ``x-priority`` takes over, if anything does: keys can be partitioned.
    delivery_limits
        A queue of somebody else's may drop a message that was returned too often; its limit is looked up.
    """

    survives_kill: bool
    several_processes: bool
    several_hosts: bool
    delays: bool
    priorities: bool
    heartbeats: bool = False
    order: bool = True
    expiry: bool = True
    delivery_limits: bool = False
    partitions: bool = False

    def lacking(self, *needed: str) -> tuple[str, ...]:
        """Give those of the needed capabilities that are missing.

        Raises
        ------
        ValueError
            For a name that is no capability.
        """
        known = [one.name for one in fields(Capabilities)]
        unknown = [name for name in needed if name not in known]
        if unknown:
            raise ValueError(f"no such capability: {', '.join(unknown)}; known are {', '.join(known)}")
        return tuple(name for name in needed if not getattr(self, name))


@frozen(eq=False, kw_only=True)
class TransportType:
    """A kind of broker that ``brokers:`` of the configuration may name.

    Attributes
    ----------
    protocols
        What YAML calls it: each is a value of ``protocol``.
    options
        The attrs class of the keys that a broker of this kind has in YAML, beside ``protocol``.
    capabilities
        What it can do.
    connect
        Gives kombu's connection, as ``connect(options, protocol)``, and opens nothing: the core does. The
        core's own transport has ``None`` here.
    address
        Names a broker in errors and logs, without its secrets, as ``address(options, protocol)``; by default
        the protocol alone does.
    keeps_order
        Tells whether a queue keeps the order of its messages where `Capabilities.order` does not hold for
        all, as ``keeps_order(broker, queue)`` with the broker's keys in YAML and the queue's name.
    account
        Gives ``(account, password, place)`` of a broker's options; ``place`` is a virtual host or the like:
        all that reads the same queues has them, and a mere publisher has not. The copies of messages are
        signed with a key that is derived from them; ``None`` where there is no secret.
    key_file
        Gives a file beside the broker that all its processes can read, in which such a key is kept; without
        it, it is kept in the state folder, which no other host has.
    """

    protocols: tuple[str, ...]
    options: type[Any]
    capabilities: Capabilities
    connect: Callable[[Any, str], Any] | None
    address: Callable[[Any, str], str] = lambda _, protocol: protocol
    keeps_order: Callable[[Mapping[str, Any], str], bool] = lambda _, __: False
    account: Callable[[Any], tuple[str, str, str] | None] = lambda _: None
    key_file: Callable[[Any], Path | None] = lambda _: None


CORE_PROTOCOLS = ("amqp", "amqps")
"""What the core speaks itself."""
BROKER_KEYS = ("protocol", "name", "forwarding_rules")
"""What every broker of the configuration has, beside the options of its transport."""
