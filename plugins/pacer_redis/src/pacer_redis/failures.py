"""What Redis answers when it cannot, as py-amqp's exceptions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from amqp.exceptions import RecoverableConnectionError
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from pacer_core import BrokerError

_WORDS = (
    ("OOM ", "it is full (maxmemory): acknowledge or remove messages, or give it more memory"),
    ("MISCONF", "it cannot write to its disk: see its log"),
    ("READONLY", "it is a replica by now: the master has changed"),
    ("MOVED", "the slot has moved to another node"),
    ("ASK", "the slot is moving to another node"),
    ("CLUSTERDOWN", "the cluster is down"),
    ("LOADING", "it is starting, and loads what it has kept"),
    ("MASTERDOWN", "its master is away"),
)


@contextmanager
def as_lost(broker: str) -> Iterator[None]:
    """Turn whatever Redis and its connection raise into a lost connection, in words.

    Raises
    ------
    amqp.exceptions.RecoverableConnectionError
        Where trying again later may help.
    BrokerError
        Where somebody has to do something about the account.
    """
    try:
        yield
    except (AuthenticationError, NoPermissionError) as error:
        raise BrokerError(
            f"{broker} refuses the account: {error}; see 'username', 'password' and the account's rights"
        ) from None
    except (RedisError, OSError) as error:
        raise RecoverableConnectionError(f"{broker}: {_in_words(error)}") from error


def lost_lease(broker: str) -> RecoverableConnectionError:
    """Give what an owner is told that was silent for too long."""
    return RecoverableConnectionError(
        f"{broker} has given away what this connection held: it was silent for longer than its lease"
    )


def _in_words(error: Exception) -> str:
    text = str(error)
    for beginning, words in _WORDS:
        if beginning in text[:40]:
            return f"{words} ({text})"
    return f"{type(error).__name__}: {text}"
