"""A broker for a program in which people act: what `pacer send` and `pacer dead` do, without a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from pacer_core.config import Config, load
from pacer_core.config.model import Amqp, Broker
from pacer_core.config.sections import Port
from pacer_core.model.by_hand import BrokerAddress, LetterChoice, LettersLeft, Posting
from pacer_core.model.errors import BrokerError, PacerError
from pacer_core.transport.connection import connect
from pacer_core.transport.dead_queues import Copy, dead_queues_of, look, take
from pacer_core.transport.letter_choice import Wanted
from pacer_core.transport.letter_json import summary, whole
from pacer_core.transport.letter_reading import Origins, read_letter
from pacer_core.transport.letter_replay import Replay
from pacer_core.transport.letters import DeadLetter
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.queue_browser import Read


class ByHand:
    """The broker; see `pacer_core.model.by_hand.BrokerByHand`, which is what others may know of it."""

    def __init__(self, broker: Broker, config: Config | None) -> None:
        self._broker, self._config = broker, config
        self._publisher = Publisher(broker)

    @property
    def address(self) -> str:
        """The broker, without credentials."""
        return str(self._broker)

    @property
    def queues(self) -> Sequence[str]:
        """The queues of the configuration."""
        return [] if self._config is None else [queue.name for queue in self._config.queues]

    @property
    def consumers(self) -> Mapping[str, tuple[str, Sequence[str]]]:
        """By the name of a consumer, its type and its queues."""
        if self._config is None:
            return {}
        plans = (*self._config.disabled, *self._config.consumers)
        return {plan.name: (plan.pipeline.type.name, plan.config.queues) for plan in plans}

    def publish_each(self, postings: Sequence[Posting]) -> list[BrokerError | None]:
        """Publish, and say of each why it is not confirmed."""
        return self._publisher.publish_each([_outgoing(one) for one in postings])

    def letters(self, choice: LetterChoice) -> Iterator[Mapping[str, Any]]:
        """Give the letters that are meant."""
        for letter in self._looked(choice):
            yield summary(letter)

    def letter(self, choice: LetterChoice) -> tuple[Mapping[str, Any], bytes] | None:
        """Give the first letter that is meant, and its body."""
        letter = next(self._looked(choice), None)
        return None if letter is None else (whole(letter), letter.envelope.body)

    def replay(
        self,
        choice: LetterChoice,
        *,
        to: str | None = None,
        pending_only: bool = False,
        stop: Callable[[], bool] = lambda: False,
    ) -> LettersLeft:
        """Send letters back to their queues, or to another one."""
        config = self._configured()
        if to is not None and to not in self.queues:
            raise PacerError(f"no queue {to!r} in {config.file}; there are: {', '.join(self.queues)}")
        copy = Replay(config, self._publisher, to, pending_only)
        refuse = (lambda letter: letter.doubt) if to is None else _nothing
        done, left = self._taken(choice, copy, stop, refuse)
        return LettersLeft(done, left, copy.doubted)

    def discard(self, choice: LetterChoice, *, stop: Callable[[], bool] = lambda: False) -> LettersLeft:
        """Remove letters for good."""
        return LettersLeft(*self._taken(choice, lambda _: None, stop, _nothing))

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection that publishes."""
        self._publisher.close()

    def _looked(self, choice: LetterChoice) -> Iterator[DeadLetter]:
        config = self._configured()
        wanted, read = _wanted(choice), _reader(config)
        with closing(connect(self._broker, "dead")) as connection:
            for queue in dead_queues_of(config):
                for letter in look(connection, queue, read=read):
                    if wanted(letter):
                        yield letter

    def _taken(
        self,
        choice: LetterChoice,
        copy: Copy,
        stop: Callable[[], bool],
        refuse: Callable[[DeadLetter], str],
    ) -> tuple[int, Counter[str]]:
        config = self._configured()
        wanted, read = _wanted(choice), _reader(config)
        done, left = 0, Counter[str]()

        def meant(letter: DeadLetter) -> bool:
            if not wanted(letter):
                return False
            if why := refuse(letter):
                left[f"it {why}: name the queue that it is to go to"] += 1
            return not why

        with closing(connect(self._broker, "dead")) as connection:
            for queue in dead_queues_of(config):
                if stop():
                    break
                result = take(connection, queue, meant, copy, read=read, stop=stop)
                done += result.taken
                left.update(result.left)
        return done, left

    def _configured(self) -> Config:
        if self._config is None:
            raise PacerError(
                "dead queues are those of a configuration, and here is the address of a broker alone: "
                "name the configuration of PACER"
            )
        return self._config


def opened(where: Path | BrokerAddress) -> ByHand:
    """Give a broker; see `pacer_core.broker_by_hand`."""
    if isinstance(where, BrokerAddress):
        options = Amqp(
            host=where.host,
            port=None if where.port is None else Port(where.port),
            username=where.username,
            password=where.password,
            v_host=where.v_host,
        )
        if where.protocol not in Broker().transport.protocols:
            raise PacerError(f"a broker's protocol is amqp or amqps, and not {where.protocol!r}")
        return ByHand(Broker(where.protocol, options), None)
    config = load(where)
    if config.broker.capabilities.lacking("several_processes"):
        raise BrokerError(
            f"a broker of protocol {config.broker.protocol!r} is seen by one process only: "
            "configure another one"
        )
    return ByHand(config.broker, config)


def _outgoing(posting: Posting) -> Outgoing:
    id_ = posting.correlation_id or str(uuid4())
    properties = {"delivery_mode": 2, "correlation_id": id_, "message_id": id_}
    if posting.content_type is not None:
        properties["content_type"] = posting.content_type
    return Outgoing(posting.exchange, posting.routing_key, posting.body, posting.headers, properties)


def _reader(config: Config) -> Read:
    return partial(read_letter, origins=Origins.of(config))


def _wanted(choice: LetterChoice) -> Callable[[DeadLetter], bool]:
    wanted = Wanted(
        choice.ids,
        choice.consumer,
        choice.error,
        choice.correlation_id,
        choice.about,
        choice.before,
        choice.after,
    )
    return lambda letter: wanted(letter) and choice.allowed(summary(letter))


def _nothing(_: DeadLetter) -> str:
    return ""
