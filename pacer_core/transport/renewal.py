"""Messages that near their queue's limit of returns, put where they count afresh.

The copy stands where the message stood: it has its id, its state and its attempt. It is confirmed before the
message is acknowledged, so a process that dies in between leaves both, and what is in them is handled twice.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import Counter
from collections.abc import Callable, Sequence

from attrs import frozen

from pacer_core.config.model import Broker
from pacer_core.model.errors import BrokerError
from pacer_core.transport.consume import BATCH, Received
from pacer_core.transport.copies import copy_properties, renewed_headers
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.signing import Signer
from pacer_core.transport.topology import retry_exchange

log = logging.getLogger("pacer.renew")

STEP = 1
"""The step of the ladder at which a copy waits that must not be overtaken."""


@frozen
class Renewal:
    """A message that gets a fresh copy, of the consumer of that name."""

    received: Received
    consumer: str
    ordered: bool = False
    """Whether later messages of its key go behind it, by way of the ladder."""

    def outgoing(self, signer: Signer | None) -> Outgoing:
        """Give the copy: at the end of its queue, or on its way there through a retry queue."""
        envelope = self.received.envelope
        copy = Outgoing(
            exchange=retry_exchange(STEP) if self.ordered else "",
            routing_key=envelope.queue,
            body=envelope.body,
            headers=renewed_headers(envelope, self.consumer),
            properties=copy_properties(envelope),
        )
        return copy if signer is None else signer.signed(copy, envelope.queue)


class Renewer:
    """Publishes copies in a thread and on a connection of its own: nothing that takes long holds them up.

    ``done`` is told of each message in that thread, and whether its copy is confirmed; where it is not, the
    message is to be handled as it is.
    """

    def __init__(self, broker: Broker, signer: Signer | None, done: Callable[[Renewal, bool], None]) -> None:
        self._broker, self._signer, self._done = broker, signer, done
        self._waiting: queue.SimpleQueue[Renewal | None] = queue.SimpleQueue()
        self._publisher: Publisher | None = None
        self._thread: threading.Thread | None = None

    def submit(self, renewal: Renewal) -> None:
        """Have a copy made; called by the connection's thread alone."""
        if self._thread is None:
            self._publisher = Publisher(self._broker)
            self._thread = threading.Thread(
                target=self._work, args=(self._publisher,), name="renew", daemon=True
            )
            self._thread.start()
        self._waiting.put(renewal)

    def beat(self) -> None:
        """Keep the connection alive, where there is one."""
        if self._publisher is not None:
            self._publisher.beat()

    def close(self) -> None:
        """End the thread, and close the connection."""
        if self._thread is not None and self._publisher is not None:
            self._waiting.put(None)
            self._publisher.close()

    def _work(self, publisher: Publisher) -> None:
        while (first := self._waiting.get()) is not None:
            batch = [first]
            while len(batch) < BATCH and not self._waiting.empty():
                more = self._waiting.get()
                if more is None:
                    return
                batch.append(more)
            # Who has lost its connection has its messages back at the broker: a copy would be one too many.
            self._publish(publisher, [one for one in batch if one.received.subscription.open])

    def _publish(self, publisher: Publisher, batch: Sequence[Renewal]) -> None:
        if not batch:
            return
        said: Sequence[BrokerError | None]
        try:
            said = publisher.publish_each([one.outgoing(self._signer) for one in batch])
        except Exception as error:  # whatever it was, each message is still in hand
            log.exception("copies of messages that were returned often could not be made")
            said = [BrokerError(type(error).__name__)] * len(batch)
        for renewal, why in zip(batch, said, strict=True):
            envelope = renewal.received.envelope
            if why is not None:
                log.warning(
                    "%s: came back to %s %d times, and cannot be copied there to count anew: %s; it is "
                    "handled as it is, and the queue may drop it when it is returned again",
                    renewal.consumer,
                    envelope.queue,
                    envelope.returns,
                    why,
                    extra={"correlation_id": envelope.correlation_id},
                )
            self._done(renewal, why is None)
        copied = Counter(
            one.received.envelope.queue for one, why in zip(batch, said, strict=True) if why is None
        )
        for name, number in copied.items():
            log.info(
                "%s: %d came back often, and have fresh copies that count their returns anew", name, number
            )
