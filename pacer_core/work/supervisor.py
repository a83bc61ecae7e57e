"""All processes: one per key space, ``workers`` per consumer without keys, ``instances`` per service.

What dies is started again.

The supervisor ends when it is told to, and for nothing else: what it cannot do now (a full disk, no more
processes) it tries again, and says so in health.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from pacer_core.config import check, load
from pacer_core.config.model import Config, ConsumerPlan, ServicePlan
from pacer_core.model.errors import BrokerError, PermissionRefusedError
from pacer_core.model.secrets import redact
from pacer_core.observe import logs
from pacer_core.observe.board import look, provide
from pacer_core.observe.metrics import Shape, service_shape, shape
from pacer_core.pipeline import spans
from pacer_core.transport.connection import connect
from pacer_core.transport.consume import Waker
from pacer_core.transport.delivery_limits import limits, warnings
from pacer_core.transport.signing import signer_for
from pacer_core.transport.topology import declare
from pacer_core.work.crashes import Counts, CrashFiles, allocate, empty, late, leaving
from pacer_core.work.exit_codes import EX_STUCK
from pacer_core.work.orphans import stop_with_parent
from pacer_core.work.os_signals import Stopped, deaf, signals
from pacer_core.work.service import serve
from pacer_core.work.state_folder import leftovers, occupy
from pacer_core.work.worker import Worker

if TYPE_CHECKING:
    from pacer_core.observe.health import Roster

log = logging.getLogger("pacer.supervisor")

RESTART = (0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
"""Seconds before a worker that died is started again; the last repeats, the first after a quiet minute."""
_QUIET = 60.0
_MARGIN = 10.0  # beyond shutdownGrace and taskTimeout, before a worker that does not end is killed
_AGAIN = (0.5, 1.0, 2.0)  # seconds before what the system refused is tried again; the last repeats
_SAID_AGAIN = 30  # refusals after which the log has the same line again
_LOOK = 2.0  # seconds between looks whether the configuration's files have changed


@frozen
class Share:
    """What one process works on: consumers by name, or an instance of a service."""

    name: str
    consumers: tuple[str, ...] = ()
    service: str = ""
    instance: int = 1

    @property
    def kind(self) -> str:
        """A ``worker`` or a ``service``."""
        return "service" if self.service else "worker"

    def __str__(self) -> str:
        return f"{self.kind} {self.name.removeprefix(f'{self.kind}:')}"


def shares(plans: Sequence[ConsumerPlan], services: Sequence[ServicePlan] = ()) -> Iterator[Share]:
    """Say which processes there are.

    One for all consumers of a key space, ``workers`` for each other one, and ``instances`` for each service.
    """
    spaces: dict[str, list[str]] = {}
    for plan in plans:
        key = plan.pipeline.type.key
        if key is not None:
            spaces.setdefault(key.space, []).append(plan.name)
        else:
            for number in range(plan.config.workers):
                yield Share(f"{plan.name}-{number + 1}", (plan.name,))
    for space, names in spaces.items():
        yield Share(f"key:{space}", tuple(names))
    for one in services:
        for number in range(1, one.config.instances + 1):
            yield Share(f"service:{one.name}-{number}", service=one.name, instance=number)


def run(config: Config, *, inline: bool = False) -> int:
    """Run a configuration until SIGTERM or SIGINT; give the exit code.

    SIGHUP has the file read again, and everything started anew with it where it has no errors.

    With a broker that one process alone sees, everything runs in this process. So it does with
    ``inline``, and in one thread. Nothing is read again then: SIGHUP is an order to stop.
    """
    ended = _run(config, inline=inline)
    while not isinstance(ended, int):
        logs.set_up_run(ended.logging, ended.log_handlers)
        log.info("started anew with the configuration of %s", ended.file)
        ended = _run(ended, inline=inline)
    deaf()  # a second SIGTERM would end Python while it leaves
    return ended


def _run(config: Config, *, inline: bool) -> int | Config:
    """Run a configuration until it is over, or there is another one."""
    from pacer_core.observe import health  # not in the workers, which import this module as well

    if config.tracing.enabled:
        spans.require()
    roster = health.Roster()
    if inline or config.broker.capabilities.lacking("several_processes"):
        worker = Worker(config, config.consumers, inline=inline)
        roster.add("pacer", worker.board.look)
        roster.started("pacer", os.getpid())
        with health.serving(config, roster), signals(worker.stop):
            _declare_once(config)
            worker.run()
        return worker.exit_code
    with contextlib.closing(_Supervisor(config, roster)) as supervisor, health.serving(config, roster):
        _declare_once(config)
        return supervisor.run()


def _declare_once(config: Config) -> None:
    """Find out before any worker starts what none of them could mend: a queue with other arguments.

    A broker that is away, or refuses the account something, is no reason not to start: the workers go on
    trying, and somebody mends it meanwhile.
    """
    try:
        connection = connect(config.broker, "supervisor")
    except BrokerError as error:
        log.warning("%s; the workers go on trying", error)
        return
    with contextlib.closing(connection):
        try:
            declare(connection, config)
            warn_of_limits(connection, config)
            signer_for(config).ready()
        except PermissionRefusedError as error:
            log.warning("%s; the workers go on trying", error)
        except BrokerError:
            raise
        except Exception as error:  # whatever a client library raises where its broker goes away in between
            said = redact(str(error) or type(error).__name__)
            log.warning("%s: nothing could be declared: %s; the workers go on trying", config.broker, said)


def warn_of_limits(connection: Any, config: Config) -> None:
    """Say which queues of somebody else's may drop what is returned to them."""
    read = {name for plan in config.consumers for name in plan.config.queues}
    for one in warnings(config, limits(connection, config, read)):
        log.warning("%s: %s", one.detail, one.advice)


@define(eq=False)
class _Child:
    share: Share
    files: CrashFiles
    process: BaseProcess | None = None
    started: float = 0.0
    deaths: int = 0
    refusals: int = 0
    """How often in a row the system did not let it be started."""
    refused: str = ""
    """What the system said to that."""
    due: float = field(factory=time.monotonic)
    crashed: bool = False
    """Whether its notes are still to be counted."""
    leaving: float | None = None
    """When it was first seen to be on its way out."""
    killed: bool = False
    """Whether it was ended from outside, because it did not end itself."""
    late: float | None = None
    """When a message was first seen to be in its parser or its tasks for too long."""


class _Supervisor:
    def __init__(self, config: Config, roster: Roster) -> None:
        self._config, self._roster = config, roster
        # Forking a process with threads and open connections copies their locks and sockets: never.
        self._context = multiprocessing.get_context("spawn")
        folder = config.state_folder
        self._place = occupy(folder, ours=config.processes.state_folder is None)
        self._counts = Counts(folder / "crashes.json")
        self._left = list(leftovers(folder, self._place))
        self._children = [
            _Child(share, self._files(number))
            for number, share in enumerate(shares(config.consumers, config.services))
        ]
        for child in self._children:
            with contextlib.suppress(OSError):  # a read-only disk is said where it hinders
                child.files.board.unlink(missing_ok=True)
            roster.add(child.share.name, partial(look, child.files.board), child.share.kind)
        self._stopped, self._waker = Stopped(), Waker()
        self._asked_to_reload = False
        self._next: Config | None = None
        self._changed: tuple[str, ...] = ()
        self._look = 0.0

    def _files(self, number: int) -> CrashFiles:
        folder = self._place.folder
        return CrashFiles(
            folder / f"worker-{number}.notes",
            self._config.state_folder / "crashes.json",
            folder / f"worker-{number}.board",
        )

    def close(self) -> None:
        """Leave the state folder to others."""
        self._place.close()
        self._waker.close()

    def run(self) -> int | Config:
        with signals(self._stop, self._reload):
            while not self._stopped and self._next is None:
                self._roster.beat()
                if self._asked_to_reload:
                    self._asked_to_reload = False
                    self._next = self._read_again()
                    continue
                for child in self._children:
                    self._tend(child)
                self._look_at_files()
                self._wait()
            log.info("%s: stopping", self._stopped.by or "the configuration was read again")
            self._end()
            return 0 if self._stopped or self._next is None else self._next

    def _stop(self, by: str) -> None:
        self._stopped.stop(by)
        self._waker.wake()

    def _reload(self) -> None:
        self._asked_to_reload = True
        self._waker.wake()

    # --- the workers -----------------------------------------------------------------------------

    def _tend(self, child: _Child) -> None:
        """Look after one worker; what goes wrong with that is tried again, and ends nothing else."""
        try:
            self._look_after(child)
        except Exception as error:  # no room on the disk, no more processes, no descriptors, no memory
            why = f"{error}" if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
            delay = _AGAIN[min(child.refusals, len(_AGAIN) - 1)]
            child.refusals += 1
            child.due = time.monotonic() + delay
            self._roster.note(child.share.name, f"cannot be started: {redact(why)}")
            if child.refused != why or child.refusals % _SAID_AGAIN == 0:
                log.error("%s cannot be started: %s; it is tried again", child.share, redact(why))
            child.refused = why

    def _look_after(self, child: _Child) -> None:
        now = time.monotonic()
        if child.process is not None:
            if child.process.is_alive():
                self._see_off(child, now)
                self._end_hung(child, now)
                return
            self._has_ended(child, now)
            self._count(child)  # at once: the broker gives its messages to others already
        if now >= child.due:
            self._count(child)
            self._start(child)

    def _has_ended(self, child: _Child, now: float) -> None:
        process, child.process = child.process, None
        code = None if process is None else process.exitcode
        crashed = code not in (0, EX_STUCK) and not child.killed
        child.crashed |= crashed
        child.leaving, child.killed, child.late = None, False, None
        self._roster.note(child.share.name, "")
        self._roster.ended(child.share.name, crashed=crashed)
        child.deaths = 0 if now - child.started > _QUIET else child.deaths + 1
        delay = RESTART[min(max(child.deaths - 1, 0), len(RESTART) - 1)]
        child.due = now + delay
        log.error("%s ended with code %s; again in %g s", child.share, code, delay)

    def _count(self, child: _Child) -> None:
        """Count what died with it, once and before anything is started, and leave its notes empty."""
        for notes in list(self._left):
            self._counts.take_leftover(notes)
            self._left.remove(notes)
        if child.crashed:
            self._counts.take(child.files.notes)
            child.crashed = False
        else:
            empty(child.files.notes)

    def _start(self, child: _Child) -> None:
        allocate(child.files.notes)
        provide(self._shape(child.share), child.files.board)
        process = self._context.Process(
            target=_serve if child.share.service else _work,
            args=(self._config.file, self._config.sources, child.share, child.files),
            name=child.share.name,
        )
        process.start()
        child.process, child.started, child.refusals, child.refused = process, time.monotonic(), 0, ""
        self._roster.note(child.share.name, "")
        self._roster.started(child.share.name, process.pid)
        log.info("%s started with process id %s", child.share, process.pid)

    def _shape(self, share: Share) -> Shape:
        """Say what a process counts."""
        for plan in self._config.services:
            if plan.name == share.service:
                return service_shape(plan)
        plans = [plan for plan in self._config.consumers if plan.name in share.consumers]
        return shape(self._config, plans)

    def _see_off(self, child: _Child, now: float) -> None:
        """End a worker from outside that wanted to end and does not: a thread of a library's may hold it."""
        if child.process is None or not leaving(child.files.notes):
            return
        if child.leaving is None:
            child.leaving = now
        grace = self._config.processes.shutdown_grace.total_seconds()
        over = now - child.leaving - grace
        if over > _MARGIN:
            log.error("%s does not end; killed", child.share)
            child.killed = True
            child.process.kill()
        elif over > 0:
            self._roster.note(child.share.name, "was to end and does not: it is killed in some seconds")

    def _end_hung(self, child: _Child, now: float) -> None:
        """End a worker that hangs, and cannot say so itself: it counts as a crash of the messages inside.

        The time that it has for that begins here: the whole host may have been asleep.
        """
        if child.process is None or not late(child.files.notes):
            child.late = None
        elif child.late is None:
            child.late = now
        elif now - child.late > _MARGIN:
            log.error("worker %s is held by a message for longer than taskTimeout; killed", child.share.name)
            child.late = now
            child.process.kill()

    def _wait(self) -> None:
        """Wait until a worker ends or somebody asks to stop; at most until it is time to look again."""
        sentinels = [child.process.sentinel for child in self._children if child.process is not None]
        try:
            wait([*sentinels, self._waker.fileno()], timeout=0.5 if sentinels else 0.2)
        except OSError as error:
            log.error("cannot wait for the workers: %s", error)
            time.sleep(0.5)
        self._waker.clear()

    def _end(self) -> None:
        self._roster.stopping = True
        alive = [child.process for child in self._children if child.process is not None]
        for process in alive:
            process.terminate()
        deadline = time.monotonic() + self._config.processes.shutdown_grace.total_seconds() + _MARGIN
        for process in alive:
            process.join(max(0.1, deadline - time.monotonic()))
            if process.is_alive():
                log.error("worker %s does not end; killed", process.name)
                process.kill()
                process.join()

    # --- the configuration -----------------------------------------------------------------------

    def _look_at_files(self) -> None:
        """Say once that a file has changed: workers that start later get what was read at first."""
        now = time.monotonic()
        if now < self._look:
            return
        self._look = now + _LOOK
        changed = self._config.changed
        if changed == self._changed:
            return
        self._changed = changed
        said = (
            f"changed since it was read, and not in use: {', '.join(changed)}; `pacer config check`, then "
            f"`systemctl reload pacer` (or SIGHUP to process {os.getpid()})"
            if changed
            else ""
        )
        if said:
            log.warning("%s", said)
        self._roster.advise("changed", said)

    def _read_again(self) -> Config | None:
        """Give the configuration as it is now, or ``None`` where it cannot be run: the old one stays."""
        log.info("SIGHUP: reading %s again", self._config.file)
        try:
            config, problems = check(Path(self._config.file))
            wrong = [str(one) for one in problems]
            if config is not None:
                self._would_start(config)
                self._roster.advise("reload", "")
                return config
        except Exception as error:
            wrong = [redact(str(error) or type(error).__name__)]
        for one in wrong:
            log.error("%s", one)
        said = f"{self._config.file} was read again and cannot be used; the one before goes on"
        log.error("%s", said)
        self._roster.advise("reload", f"{said}: {wrong[0] if wrong else 'see the log'}")
        return None

    def _would_start(self, config: Config) -> None:
        """Raise what would end PACER at a start with this configuration."""
        if config.tracing.enabled:
            spans.require()
        if config.state_folder != self._config.state_folder:
            occupy(config.state_folder, ours=config.processes.state_folder is None).close()
        _declare_once(config)


def _work(file: str, sources: Mapping[str, str], share: Share, files: CrashFiles) -> None:
    """Be a worker process, with the files as the supervisor has read and checked them."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a terminal's goes to all; the supervisor decides
    config = load(Path(file), sources)
    logs.set_up_run(config.logging, config.log_handlers)
    plans = [plan for plan in config.consumers if plan.name in share.consumers]
    worker = Worker(config, plans, crash_files=files)
    gc.freeze()  # what is loaded stays; to look through it again and again takes 25 ms each time
    stop_with_parent(worker.stop)
    with signals(worker.stop):
        try:
            worker.run()
        except Exception:
            log.critical("worker %s fails", share.name, exc_info=True)
            sys.exit(1)
    sys.exit(worker.exit_code)


def _serve(file: str, sources: Mapping[str, str], share: Share, files: CrashFiles) -> None:
    """Be a process of a service, with the files as the supervisor has read and checked them."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    config = load(Path(file), sources)
    logs.set_up_run(config.logging, config.log_handlers)
    (plan,) = (one for one in config.services if one.name == share.service)
    sys.exit(serve(config, plan, share.instance, files))
