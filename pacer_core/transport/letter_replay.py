"""What is sent of a letter that is to be handled once more: a fresh start, or what was due later anyway."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from attrs import define, evolve, field

from pacer_core.config.model import Config
from pacer_core.model.errors import BrokerError, RefusedError
from pacer_core.model.messages import Envelope
from pacer_core.transport.copies import copy_properties
from pacer_core.transport.header_size import DEEPEST, nested_beyond, together
from pacer_core.transport.header_types import CopyHeaders
from pacer_core.transport.headers import PREFIX, VERSION, plain_headers
from pacer_core.transport.letters import DeadLetter
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.signing import Signer, signer_for

_UNSIGNED = RefusedError(
    "it is not signed, so where it came by is not known, and it would not be forwarded: if it is of a "
    "release before signatures, set processes.acceptUnsigned: true meanwhile; otherwise export it, and look"
)


@define(eq=False)
class Replay:
    """Publishes the copies of letters that start anew, in the queues they came from or ``to`` one."""

    config: Config
    publisher: Publisher
    to: str | None = None
    pending_only: bool = False
    doubted: int = 0
    """How many had no signature that fits, and went as new messages."""
    _signer: Signer = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._signer = signer_for(self.config)

    def __call__(self, letters: Sequence[DeadLetter]) -> Sequence[BrokerError | None]:
        """Publish; say of each letter why its copy is not confirmed, or ``None``."""
        copies = [self._copied(one) for one in letters]
        said = iter(self.publisher.publish_each([one for one in copies if isinstance(one, Outgoing)]))
        return [next(said) if isinstance(one, Outgoing) else one for one in copies]

    def _copied(self, letter: DeadLetter) -> Outgoing | BrokerError:
        envelope = believed(letter, self._signer)
        copy = replayed(envelope, pending_only=self.pending_only, queue=self.to)
        # Else it is of no account.
        if copy != replayed(letter.envelope, pending_only=self.pending_only, queue=self.to):
            if self.config.routes and "signature" not in letter.own:
                return _UNSIGNED
            self.doubted += 1
        return self._signer.signed(copy, self.to or envelope.queue)


def believed(letter: DeadLetter, signer: Signer) -> Envelope:
    """Give the envelope of a letter that is to be acted on: without state that PACER has not written there.

    Where its signature does not fit it is a message that somebody has published to its queue itself.
    """
    envelope = letter.envelope
    if letter.own.get("version") != VERSION or signer.believes(
        envelope.home, envelope.body, envelope.properties, letter.own
    ):
        return envelope
    return evolve(
        envelope, exchange="", routing_key=envelope.queue, done=(), rejected={}, facts={}, original={}
    )


def replayed(envelope: Envelope, *, pending_only: bool = False, queue: str | None = None) -> Outgoing:
    """Give the copy of a dead letter that starts anew in the queue it came from.

    Attempts and retries count from the start, and the time it may wait for something (`NotYet`) begins when
    it is next seen: a person has looked and wants it tried like a new one. Correlation id, path, exchange and
    routing key of the first sight stay. With ``pending_only`` tasks that are done do not run again, and the
    facts that they left are there; tasks that rejected it do run again. It is to be signed (`Signer.signed`).
    """
    own: CopyHeaders = {
        "version": VERSION,
        "exchange": envelope.exchange,
        "routing-key": envelope.routing_key,
    }
    if envelope.correlation_id:
        own["correlation-id"] = envelope.correlation_id
    if envelope.path:
        own["path"] = list(envelope.path)
    if envelope.original:
        own["original"] = dict(envelope.original)
    if pending_only:
        own["done"] = list(envelope.done)
        own["facts"] = orjson.dumps(dict(envelope.facts)).decode()
    return Outgoing(
        exchange="",
        routing_key=envelope.queue if queue is None else queue,
        body=envelope.body,
        headers=together(plain_headers(envelope.headers), own, PREFIX),
        properties=copy_properties(envelope),
    )


def hastened(letter: DeadLetter) -> Outgoing:
    """Give the message that the broker itself would put into the work queue once its time is over."""
    headers = {} if letter.waiting is None else plain_headers(letter.waiting.headers)
    return Outgoing(
        exchange="",
        routing_key=letter.envelope.home,
        body=letter.envelope.body,
        headers={name: value for name, value in headers.items() if not nested_beyond(value, DEEPEST)},
        properties=copy_properties(letter.envelope),
    )
