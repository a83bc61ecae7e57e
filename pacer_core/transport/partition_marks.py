"""How many partitions a key space has at its broker: a queue that is never used says it by its arguments.

Its declaration is one step at the broker, so that of two hosts which say different numbers one is refused,
before either has published anything. The argument is one that every broker keeps and compares.
"""

from __future__ import annotations

from typing import Any

from amqp.exceptions import NotFound, PreconditionFailed

from pacer_core.config.model import Config, KeySpace
from pacer_core.config.model.key_spaces import MOST
from pacer_core.model.errors import BrokerError
from pacer_core.model.wording import counted


def mark(space: KeySpace) -> dict[str, Any]:
    """Give the arguments of the queue that says how many partitions a key space has."""
    return _mark(space.prefix, space.partitions)


def _mark(prefix: str, partitions: int) -> dict[str, Any]:
    return {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": f"{prefix} has {counted(partitions, 'partition')}",
    }


def marked(connection: Any, prefix: str) -> int | None:
    """Give how many partitions a key space has at the broker; ``None`` where it has none.

    Raises
    ------
    BrokerError
        Where the queue that says so is somebody else's.
    """
    channel = connection.channel()
    try:
        channel.queue_declare(queue=prefix, passive=True)
    except NotFound:
        return None
    finally:
        channel.close()
    for number in range(1, MOST + 1):
        channel = connection.channel()
        try:
            channel.queue_declare(
                queue=prefix, durable=True, auto_delete=False, arguments=_mark(prefix, number)
            )
        except PreconditionFailed:
            continue
        finally:
            channel.close()
        return number
    raise BrokerError(
        f"queue {prefix!r} is not PACER's, which keeps there how many partitions a key space has: give the "
        f"key space another 'queue' under keySpaces"
    )


def differs(connection: Any, config: Config, name: str, prefix: str) -> BrokerError:
    """Say that a key space has another number of partitions at the broker than in the configuration."""
    space = config.key_spaces.get(name)
    return BrokerError(
        f"key space {name!r} has {_number(marked(connection, prefix))} at {config.broker}, and "
        f"{_number(None if space is None else space.partitions)} in {config.file}: keys would change their "
        f"partitions while messages wait in them; `pacer partitions change {name}` says what to do"
    )


def _number(partitions: int | None) -> str:
    return "no partitions" if partitions is None else counted(partitions, "partition")
