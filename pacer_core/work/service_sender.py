"""What a service publishes: confirmed, or waited for until it is."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

from attrs import evolve, frozen

from pacer_core.config.model import Config, ServicePlan
from pacer_core.model.errors import (
    BrokerError,
    NotTakenError,
    PacerError,
    PermissionRefusedError,
    RefusedError,
)
from pacer_core.model.messages import Delivery, Envelope, Outcome, TaskFailure
from pacer_core.model.queue_names import dead_queue
from pacer_core.model.secrets import Clean, redact, screen
from pacer_core.model.services import Publication, Stopping
from pacer_core.model.suggestions import did_you_mean
from pacer_core.observe.board import Board
from pacer_core.observe.metrics import State
from pacer_core.transport.advice import advice_for
from pacer_core.transport.connection import BACKOFF, LOST, connect, hang_up
from pacer_core.transport.copies import dead_headers
from pacer_core.transport.headers import PREFIX
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.signing import signer_for
from pacer_core.transport.topology import declare
from pacer_core.work.service_state import Shown, StopFlag

log = logging.getLogger("pacer.service")


@frozen
class _Message:
    """What is published, and the work queue that it is about: itself may go to that one's dead queue."""

    queue: str
    outgoing: Outgoing


class Sender:
    """Publishes for a service until the broker has confirmed; safe to use from several threads."""

    def __init__(
        self, config: Config, plan: ServicePlan, board: Board, stopping: StopFlag, shown: Shown
    ) -> None:
        self._config, self._plan, self._board = config, plan, board
        self._stopping, self._shown = stopping, shown
        self._publisher = Publisher(config.broker, board.confirmed)
        self._queues = {queue.name: queue.name for queue in config.queues} | {
            one.name: one.config.queues[0] for one in (*config.consumers, *config.disabled)
        }
        self._readers = {
            queue: one.name for one in (*config.disabled, *config.consumers) for queue in one.config.queues
        }
        self._signer = signer_for(config)
        self._wanted = {self._queues[name] for name in plan.destinations if name in self._queues}
        self._declared: set[str] = set()

    def publish(self, publications: Sequence[Publication]) -> list[RefusedError | None]:
        """Publish, and return when the broker has confirmed all that it takes; say what it refuses."""
        left = dict(enumerate(self._message(one) for one in publications))
        refused: dict[int, RefusedError] = {}
        with self._shown.waiting() as waiting:
            failures = 0
            while (error := self._try(left, refused)) is not None:
                state, why = self._why(error)
                if self._stopping.is_set():
                    raise Stopping(f"stopped before the broker has confirmed a message: {why}")
                waiting.say(state, why)
                delay = BACKOFF[min(failures, len(BACKOFF) - 1)]
                failures += 1
                log.warning("service %s waits: %s; again in %g s", self._plan.name, Clean(why), delay)
                self._stopping.wait(delay)
        return [refused.get(number) for number in range(len(publications))]

    def waiting(self, to: str) -> int | None:
        """Say how many messages wait in a queue, where the broker tells."""
        return self._publisher.ready(self._queue(to))

    def beat(self) -> None:
        """Keep an idle connection alive."""
        self._publisher.beat()

    def close(self) -> None:
        """Close the connection."""
        self._publisher.close()

    def _queue(self, to: str) -> str:
        queue = self._queues.get(to)
        if queue is None:
            raise PacerError(
                f"service {self._plan.name!r} publishes to {to!r}, and the configuration has no "
                f"consumer or queue of that name{did_you_mean(to, self._queues)}"
            )
        return queue

    def _message(self, publication: Publication) -> _Message:
        queue = self._queue(publication.to)
        for name in publication.headers:
            if name.lower().startswith(PREFIX):
                raise PacerError(
                    f"header {name!r} of a service: names that begin with {PREFIX} are PACER's own"
                )
        message_id = publication.message_id or str(uuid4())
        properties = {
            "content_type": publication.content_type,
            "message_id": message_id,
            "correlation_id": message_id,
            "timestamp": int(time.time()),
            "delivery_mode": 2,
        }
        given = {name: value for name, value in properties.items() if value is not None}
        outgoing = Outgoing("", queue, publication.body, publication.headers, given)
        return _Message(queue, self._letter(outgoing, publication.dead) if publication.dead else outgoing)

    def _letter(self, message: Outgoing, reason: str) -> Outgoing:
        """Give a message as it lies in the dead queue, where nobody has handled it before."""
        queue, plan = message.routing_key, self._plan
        envelope = Envelope(
            message.body,
            queue,
            routing_key=queue,
            headers=message.headers,
            properties=message.properties,
            correlation_id=message.properties["correlation_id"],
            first_seen=datetime.now(UTC),
        )
        failures = (TaskFailure(f"service {plan.name}", "reject", reason),)
        delivery = Delivery(envelope, self._readers.get(queue, plan.name), Outcome.DEAD, failures=failures)
        letter = evolve(message, routing_key=dead_queue(queue), headers=dead_headers(delivery, 0, reason))
        return self._signer.signed(letter, queue)

    def _try(self, left: dict[int, _Message], refused: dict[int, RefusedError]) -> BrokerError | None:
        """Publish what is left once; say why some of it still is, or ``None`` where nothing is."""
        if (undeclared := self._declare_all({one.queue for one in left.values()})) is not None:
            return undeclared
        numbers = list(left)
        said = self._publisher.publish_each([left[number].outgoing for number in numbers])
        why: BrokerError | None = None
        for number, error in zip(numbers, said, strict=True):
            if error is not None:
                self._declared.discard(left[number].queue)  # somebody may have removed it
            if error is None or isinstance(error, RefusedError):
                del left[number]
            if isinstance(error, RefusedError):
                refused[number] = error
            else:
                why = error or why
        self._board.published(self._plan.name, sum(error is None for error in said))
        return why

    def _declare_all(self, queues: set[str]) -> BrokerError | None:
        """Declare what may not be there; say what keeps it from being so."""
        for queue in sorted(queues - self._declared):
            try:
                self._declare(queue)
            except PermissionRefusedError as error:  # who may only publish finds a queue that others declare
                self._declared.add(queue)
                log.warning("service %s: %s; publishing without", self._plan.name, error)
            except BrokerError as error:
                return error
            except LOST as error:
                why = redact(str(error) or type(error).__name__)
                return BrokerError(f"lost {self._config.broker}: {why}")
        return None

    def _declare(self, queue: str) -> None:
        """Declare the queue of a message, with what the service said that it publishes to."""
        if queue in self._declared:
            return
        wanted = {queue, *self._wanted}
        queues = tuple(one for one in self._config.queues if one.name in wanted)
        used = {one.exchange for one in queues if one.declare == "active"}
        exchanges = tuple(one for one in self._config.exchanges if one.name in used)
        connection = connect(self._config.broker, "service")
        try:
            declare(connection, evolve(self._config, queues=queues, exchanges=exchanges))
        finally:
            hang_up(connection)
        self._declared |= wanted

    def _why(self, error: BrokerError) -> tuple[State, str]:
        """Say in what state the service is while it waits, and why."""
        said = screen(str(error))
        if advice := advice_for(said, self._config.broker, "brokers.main"):
            said = f"{said}; {advice}"
        return (State.REFUSED if isinstance(error, NotTakenError) else State.DISCONNECTED), said
