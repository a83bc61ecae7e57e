"""What Redis answers when it cannot, as py-amqp's exceptions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from amqp.exceptions import RecoverableConnectionError
from redis import exceptions as errors

from pacer_core import BrokerError

_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (
        errors.OutOfMemoryError,
        "it is full (maxmemory): acknowledge or remove messages, or give it more memory",
    ),
    (errors.ReadOnlyError, "it is a replica by now: the master has changed"),
    (errors.MovedError, "the slot has moved to another node"),
    (errors.AskError, "the slot is moving to another node"),
    (errors.ClusterDownError, "the cluster is down"),
    (errors.BusyLoadingError, "it is starting, and loads what it has kept"),
    (errors.MasterDownError, "its master is away"),
)


_CODES: dict[type[Exception], str] = {errors.OutOfMemoryError: "OOM", errors.ReadOnlyError: "READONLY"}
# What is read of a server that does not go on without a certificate: its word, or no word at all.
_NO_CERTIFICATE = ("certificate required", "EOF occurred in violation of protocol")


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
    except (errors.AuthenticationError, errors.NoPermissionError) as error:
        raise BrokerError(
            f"{broker} refuses the account: {error}; see 'username', 'password' and the account's rights"
        ) from None
    except (errors.RedisError, OSError) as error:
        raise RecoverableConnectionError(f"{broker}: {_in_words(error)}") from error


def lost_lease(broker: str) -> RecoverableConnectionError:
    """Give what an owner is told that was silent for too long."""
    return RecoverableConnectionError(
        f"{broker} has given away what this connection held: it was silent for longer than its lease"
    )


def _in_words(error: Exception) -> str:
    for kind, words in _WORDS:
        # Before Redis 7 an error of a step inside a script is quoted in one of the script's.
        code = _CODES.get(kind)
        if isinstance(error, kind) or (code is not None and f"-{code} " in str(error)):
            return f"{words} ({error})"
    said = f"{type(error).__name__}: {error}"
    if any(words in said for words in _NO_CERTIFICATE):
        return f"{said} Where it has 'tls-auth-clients yes', it wants a certificate: 'tls.certificateFile'"
    return said
