"""What a program does at a broker for a person: publish messages, and look after dead queues."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol, Self

from attrs import field, frozen

from pacer_core.model.errors import BrokerError
from pacer_core.model.secrets import Secret


@frozen(kw_only=True)
class BrokerAddress:
    """A RabbitMQ that no configuration names; what is not given is what a configuration would have."""

    protocol: str = "amqp"
    host: str = "localhost"
    port: int | None = None
    username: str | None = None
    password: Secret | None = None
    v_host: str = "/"


@frozen
class Posting:
    """One new message for an exchange, or for a queue by the default exchange, whose name is empty."""

    exchange: str
    routing_key: str
    body: bytes = field(repr=False)
    headers: Mapping[str, Any] = field(factory=dict)
    content_type: str | None = None
    correlation_id: str | None = None
    """By which logs and records will know it; it is its message id as well."""


@frozen
class LetterChoice:
    """Which letters of the dead queues are meant; everything that is given has to fit."""

    ids: tuple[str, ...] = ()
    """Of each the beginning of an id, or a whole correlation id: one of them has to fit."""
    consumer: str | None = None
    error: str | None = None
    """A text or a regular expression, in the error or in one of the bad fields, whatever the case."""
    correlation_id: str | None = None
    about: str | None = None
    """``name=value``, or the value alone, of what the letter is about."""
    before: datetime | None = None
    after: datetime | None = None
    """Since when it is dead; a letter whose time is unknown fits neither."""
    allowed: Callable[[Mapping[str, Any]], bool] = field(default=lambda _: True, eq=False)
    """A further condition on the letter as ``pacer dead list --json`` shows it."""


@frozen
class LettersLeft:
    """What became of the letters that were chosen."""

    done: int
    """How many have left their dead queue."""
    left: Mapping[str, int] = field(factory=dict)
    """How many have not, by the reason."""
    restarted: int = 0
    """How many of those replayed had no signature that fits: they went as new messages."""


class BrokerByHand(Protocol):
    """The broker of a configuration, for a program in which people act; close it by ``with``.

    Its methods may be called from several threads. Each opens its connection when it needs one.
    """

    @property
    def address(self) -> str:
        """The broker, without credentials."""
        ...

    @property
    def queues(self) -> Sequence[str]:
        """The queues of the configuration; none where there is a `BrokerAddress` alone."""
        ...

    @property
    def consumers(self) -> Mapping[str, tuple[str, Sequence[str]]]:
        """By the name of a consumer, its type and its queues; also of those that are switched off."""
        ...

    def publish_each(self, postings: Sequence[Posting]) -> list[BrokerError | None]:
        """Publish messages, persistent and mandatory, and wait for the broker's word on each.

        Returns
        -------
        list
            Of each message why it is not confirmed, or ``None`` where it is. What is not confirmed since the
            connection was lost may have arrived.
        """
        ...

    def letters(self, choice: LetterChoice) -> Iterator[Mapping[str, Any]]:
        """Give the letters of all dead queues that are meant, each as ``pacer dead list --json`` does.

        Raises
        ------
        BrokerError
            Where the broker cannot be reached, or somebody else goes on looking.
        """
        ...

    def letter(self, choice: LetterChoice) -> tuple[Mapping[str, Any], bytes] | None:
        """Give the first letter that is meant, as ``pacer dead show --json`` does, and its body."""
        ...

    def replay(
        self,
        choice: LetterChoice,
        *,
        to: str | None = None,
        pending_only: bool = False,
        stop: Callable[[], bool] = lambda: False,
    ) -> LettersLeft:
        """Send letters back to the queues they came from, or ``to`` one, as ``pacer dead replay`` does.

        Raises
        ------
        BrokerError
            Where the connection is lost, or somebody else goes on looking; letters whose copies were
            confirmed before have left their queue.
        """
        ...

    def discard(self, choice: LetterChoice, *, stop: Callable[[], bool] = lambda: False) -> LettersLeft:
        """Remove letters for good, as ``pacer dead discard`` does; errors are those of `replay`."""
        ...

    def __enter__(self) -> Self:
        """Give itself."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close its connections."""
        ...
