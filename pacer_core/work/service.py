"""One process of a service: what its plugin's ``run`` sees, and how it is seen from outside.

``run`` has the process's main thread. What it publishes waits for the broker's confirm, and for the broker
itself where that is away: nothing is dropped, since only the service knows how to have it again.
"""

from __future__ import annotations

import contextlib
import logging
import math
import select
import threading
import time
from collections.abc import Iterator
from urllib.parse import quote
from uuid import uuid4

from attrs import evolve

from pacer_core.config.model import Config, ServicePlan
from pacer_core.model.errors import (
    BrokerError,
    NotTakenError,
    PacerError,
    PermissionRefusedError,
    RefusedError,
)
from pacer_core.model.private_files import make_folder
from pacer_core.model.secrets import Clean, redact, screen
from pacer_core.model.services import Publication, ServiceContext, Stopping
from pacer_core.model.suggestions import did_you_mean
from pacer_core.observe.board import Board
from pacer_core.observe.metrics import State, service_shape
from pacer_core.pipeline.unexpected import label
from pacer_core.transport.advice import advice_for
from pacer_core.transport.connection import BACKOFF, LOST, connect, hang_up
from pacer_core.transport.consume import Waker
from pacer_core.transport.headers import PREFIX
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.topology import declare
from pacer_core.work.crashes import CrashFiles, Notes
from pacer_core.work.orphans import stop_with_parent
from pacer_core.work.os_signals import Stopped, signals

log = logging.getLogger("pacer.service")


def serve(config: Config, plan: ServicePlan, instance: int, files: CrashFiles) -> int:
    """Run a service in this process until it is told to stop, or ends; give the exit code."""
    process = _Process(config, plan, instance, files)
    stop_with_parent(process.stop)
    with signals(process.stop):
        return process.run()


class _Process:
    def __init__(self, config: Config, plan: ServicePlan, instance: int, files: CrashFiles) -> None:
        self._config, self._plan, self._instance = config, plan, instance
        self._notes = Notes(files.notes)
        self._board = Board(service_shape(plan), files.board)
        self._stopping = _Stopping()
        self._shown = _Shown(self._board, self._stopping)
        self._sender = _Sender(config, plan, self._board, self._stopping, self._shown)

    def stop(self, by: str) -> None:
        """Tell the service to end; may be called from a signal handler."""
        self._notes.stopping()
        self._stopping.stop(by)

    def run(self) -> int:
        """Run the service; give the exit code."""
        watch = threading.Thread(target=self._watch, name="stopping", daemon=True)
        watch.start()
        try:
            return self._run()
        finally:
            self._notes.stopping()  # a thread that it has left behind is not waited for without end
            self._sender.close()

    def _run(self) -> int:
        name = self._plan.name
        try:
            self._plan.type.run(self._context())
        except Stopping:
            if not self._stopping.is_set():
                return self._ended("raised Stopping although nobody has told it to stop")
        except (Exception, SystemExit) as error:
            log.critical("service %s fails", name, exc_info=True)
            self._shown.ended(redact(label(error)))
            return 1
        return 0 if self._stopping.is_set() else self._ended("returned although nobody has told it to stop")

    def _ended(self, how: str) -> int:
        log.error("service %s %s", self._plan.name, how)
        self._shown.ended(how)
        return 0

    def _context(self) -> ServiceContext:
        folder = self._config.state_folder / "services" / quote(self._plan.name, safe=" ")
        make_folder(folder)
        return ServiceContext(
            self._plan.name,
            self._plan.options,
            folder=folder,
            stopping=self._stopping,
            publish=self._sender.publish,
            ready=self._shown.ready,
            trouble=self._shown.trouble,
            count=self._count,
            instance=self._instance,
            instances=self._plan.config.instances,
        )

    def _count(self, what: str, number: int) -> None:
        try:
            self._board.served(self._plan.name, what, number)
        except KeyError:
            known = ", ".join(self._plan.type.counts) or "nothing"
            raise PacerError(
                f"service type {self._plan.type.name!r} counts {known}: name {what!r} in its counts= as well"
            ) from None

    def _watch(self) -> None:
        """Keep the idle connection alive, and say in health when the service has been told to stop."""
        interval = min(self._config.broker.beat, 5.0)
        while not self._stopping.wait(interval):
            self._sender.beat()
        self._shown.show()
        log.info("%s: stopping service %s", self._stopping.by, self._plan.name)


class _Stopping:
    """What the service sees as ``stopping``. A signal handler sets it, and so it takes no lock."""

    def __init__(self) -> None:
        self._stopped, self._waker = Stopped(), Waker()

    @property
    def by(self) -> str:
        return self._stopped.by

    def stop(self, by: str) -> None:
        self._stopped.stop(by)
        self._waker.wake()

    def is_set(self) -> bool:
        return bool(self._stopped)

    def wait(self, timeout: float | None = None) -> bool:
        poll = select.poll()
        poll.register(self._waker.fileno(), select.POLLIN)
        if not self._stopped:
            poll.poll(None if timeout is None else math.ceil(max(timeout, 0.0) * 1000))
        return self.is_set()


class _Shown:
    """How the service is, in the words of health; safe to use from several threads."""

    def __init__(self, board: Board, stopping: _Stopping) -> None:
        self._board, self._stopping = board, stopping
        self._lock = threading.Lock()
        self._ready, self._trouble = False, ""
        self._waits: dict[int, tuple[State, str]] = {}

    def ready(self) -> None:
        with self._lock:
            self._ready = True
        self.show()

    def trouble(self, text: str) -> None:
        with self._lock:
            self._trouble = screen(text)
        self.show()

    def ended(self, why: str) -> None:
        """Say why the process ends: health shows it until there is another one."""
        self._board.state(State.STOPPING, why)

    @contextlib.contextmanager
    def waiting(self) -> Iterator[_Waiting]:
        """Be in the state of waiting for the broker where `_Waiting.say` says so, until the end."""
        waiting = _Waiting(self)
        try:
            yield waiting
        finally:
            self.note(waiting, None)

    def note(self, who: object, what: tuple[State, str] | None) -> None:
        with self._lock:
            before = self._waits.pop(id(who), None)
            if what is not None:
                self._waits[id(who)] = what
        if before != what:
            self.show()

    def show(self) -> None:
        """Show how it is now."""
        with self._lock:
            state, text = (State.RUNNING if self._ready else State.STARTING), ""
            if self._trouble:
                state, text = State.HINDERED, self._trouble
            for waits in self._waits.values():
                state, text = waits
            if self._stopping.is_set():
                state = State.STOPPING
            self._board.state(state, text)


class _Waiting:
    def __init__(self, shown: _Shown) -> None:
        self._shown = shown

    def say(self, state: State, text: str) -> None:
        self._shown.note(self, (state, text))


class _Sender:
    """Publishes for a service until the broker has confirmed; safe to use from several threads."""

    def __init__(
        self, config: Config, plan: ServicePlan, board: Board, stopping: _Stopping, shown: _Shown
    ) -> None:
        self._config, self._plan, self._board = config, plan, board
        self._stopping, self._shown = stopping, shown
        self._publisher = Publisher(config.broker, board.confirmed)
        self._queues = {queue.name: queue.name for queue in config.queues} | {
            one.name: one.config.queues[0] for one in (*config.consumers, *config.disabled)
        }
        self._wanted = {self._queues[name] for name in plan.destinations if name in self._queues}
        self._declared: set[str] = set()

    def publish(self, publication: Publication) -> None:
        """Publish, and return when the broker has confirmed."""
        message = self._outgoing(publication)
        with self._shown.waiting() as waiting:
            failures = 0
            while (error := self._try(message)) is not None:
                if isinstance(error, RefusedError):
                    raise error
                state, why = self._why(error)
                if self._stopping.is_set():
                    raise Stopping(f"stopped before the broker has confirmed a message: {why}")
                waiting.say(state, why)
                delay = BACKOFF[min(failures, len(BACKOFF) - 1)]
                failures += 1
                log.warning("service %s waits: %s; again in %g s", self._plan.name, Clean(why), delay)
                self._stopping.wait(delay)
        self._board.published(self._plan.name)

    def beat(self) -> None:
        """Keep an idle connection alive."""
        self._publisher.beat()

    def close(self) -> None:
        """Close the connection."""
        self._publisher.close()

    def _outgoing(self, publication: Publication) -> Outgoing:
        queue = self._queues.get(publication.to)
        if queue is None:
            meant = did_you_mean(publication.to, self._queues)
            raise PacerError(
                f"service {self._plan.name!r} publishes to {publication.to!r}, and the configuration has no "
                f"consumer or queue of that name{meant}"
            )
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
        return Outgoing("", queue, publication.body, publication.headers, given)

    def _try(self, message: Outgoing) -> BrokerError | None:
        """Publish a message once; say why it is not confirmed, or ``None`` where it is."""
        try:
            self._declare(message.routing_key)
        except PermissionRefusedError as error:  # whoever may only publish finds a queue that others declare
            self._declared.add(message.routing_key)
            log.warning("service %s: %s; publishing without", self._plan.name, error)
        except BrokerError as error:
            return error
        except LOST as error:
            return BrokerError(f"lost {self._config.broker}: {redact(str(error) or type(error).__name__)}")
        (said,) = self._publisher.publish_each([message])
        if said is not None:
            self._declared.discard(message.routing_key)  # somebody may have removed it
        return said

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
