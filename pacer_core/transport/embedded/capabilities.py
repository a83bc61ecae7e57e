"""What a transport can do, as data: what it cannot is a configuration error, not a surprise at night."""

from __future__ import annotations

from attrs import fields, frozen


@frozen
class Capabilities:
    """What a transport can do; each field is the name by which a configuration error calls it.

    Attributes
    ----------
    transport
        The transport's name, as messages show it.
    survives_kill
        A message that was handed out and not acknowledged comes back when its process is killed.
    several_processes
        More than one process sees the same queues.
    several_hosts
        Processes on more than one machine see the same queues.
    delays
        ``x-message-ttl`` with a dead-letter exchange brings a message back later.
    priorities
        ``x-max-priority`` lets a message overtake others.
    """

    transport: str
    survives_kill: bool
    several_processes: bool
    several_hosts: bool
    delays: bool
    priorities: bool

    def lacking(self, *needed: str) -> tuple[str, ...]:
        """Give those of the needed capabilities that are missing.

        Raises
        ------
        ValueError
            For a name that is no capability.
        """
        known = [one.name for one in fields(Capabilities) if one.type in (bool, "bool")]
        unknown = [name for name in needed if name not in known]
        if unknown:
            raise ValueError(f"no such capability: {', '.join(unknown)}; known are {', '.join(known)}")
        return tuple(name for name in needed if not getattr(self, name))


AMQP = Capabilities(
    "amqp",
    survives_kill=True,
    several_processes=True,
    several_hosts=True,
    delays=True,
    priorities=True,
)
SQLITE = Capabilities(
    "pacer+sqlite",
    survives_kill=True,
    several_processes=True,
    several_hosts=False,
    delays=True,
    priorities=True,
)
MEMORY = Capabilities(
    "pacer+memory",
    survives_kill=False,
    several_processes=False,
    several_hosts=False,
    delays=True,
    priorities=True,
)
