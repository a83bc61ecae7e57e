"""All processes: one per key space, ``workers`` per consumer without keys; what dies is started again."""

from __future__ import annotations

import contextlib
import gc
import logging
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from pacer_core import logs, traces
from pacer_core.config import load
from pacer_core.config.model import Config, ConsumerPlan
from pacer_core.crashes import Counts, read_notes
from pacer_core.errors import BrokerError, PacerError
from pacer_core.metrics import look
from pacer_core.signals import Stopped, signals
from pacer_core.transport.connection import connect
from pacer_core.transport.consume import Waker
from pacer_core.transport.limits import limits, warnings
from pacer_core.transport.topology import declare
from pacer_core.worker import EX_STUCK, CrashFiles, Worker

if TYPE_CHECKING:
    from pacer_core.health import Roster

log = logging.getLogger("pacer.supervisor")

RESTART = (0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
"""Seconds before a worker that died is started again; the last repeats, the first after a quiet minute."""
_QUIET = 60.0
_MARGIN = 10.0  # beyond shutdownGrace, before a worker that does not end is killed


@frozen
class Share:
    """What one process works on: consumers by name."""

    name: str
    consumers: tuple[str, ...]


def shares(plans: Sequence[ConsumerPlan]) -> Iterator[Share]:
    """Say which processes there are: one for all consumers of a key space, ``workers`` for each other one."""
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


def run(config: Config, *, inline: bool = False) -> int:
    """Run a configuration until SIGTERM or SIGINT; give the exit code.

    With an in-memory broker everything runs in this process: no other one would see it. So it does with
    ``inline``, and in one thread.
    """
    from pacer_core import health  # not in the workers, which import this module as well

    if config.tracing.enabled:
        traces.require()
    roster = health.Roster()
    if inline or config.broker.protocol == "memory":
        worker = Worker(config, config.consumers, inline=inline)
        roster.add("pacer", worker.board.look)
        roster.started("pacer", os.getpid())
        with health.serving(config, roster), signals(worker.stop):
            _declare_once(config)
            worker.run()
        return worker.exit_code
    supervisor = _Supervisor(config, roster)
    with health.serving(config, roster):
        _declare_once(config)
        return supervisor.run()


def _declare_once(config: Config) -> None:
    """Find out before any worker starts what none of them could mend: a queue with other arguments.

    A broker that is away is no reason not to start: the workers wait for it.
    """
    try:
        connection = connect(config.broker, "supervisor")
    except BrokerError as error:
        log.warning("%s; the workers go on trying", error)
        return
    with contextlib.closing(connection):
        declare(connection, config)
        warn_of_limits(connection, config)


def warn_of_limits(connection: Any, config: Config) -> None:
    """Say which queues of somebody else's may drop what is returned to them."""
    read = {name for plan in config.consumers for name in plan.config.queues}
    for one in warnings(config, limits(connection, config, read)):
        log.warning("%s: %s", one.detail, one.advice)


@define(eq=False)
class _Child:
    share: Share
    process: BaseProcess | None = None
    started: float = 0.0
    deaths: int = 0
    due: float = field(factory=time.monotonic)
    files: CrashFiles | None = None


class _Supervisor:
    def __init__(self, config: Config, roster: Roster) -> None:
        self._config, self._roster = config, roster
        # Forking a process with threads and open connections copies their locks and sockets: never.
        self._context = multiprocessing.get_context("spawn")
        folder = config.state_folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "writable").touch()
        except OSError as error:
            raise PacerError(
                f"{folder} cannot be written ({error.strerror}): name a folder in processes.stateFolder"
            ) from None
        self._counts = Counts(folder / "crashes.json")
        self._children = [_Child(share) for share in shares(config.consumers)]
        for number, child in enumerate(self._children):
            board = folder / f"worker-{number}.board"
            board.unlink(missing_ok=True)
            child.files = CrashFiles(folder / f"worker-{number}.notes", folder / "crashes.json", board)
            roster.add(child.share.name, partial(look, board))
        self._stopped, self._waker = Stopped(), Waker()

    def run(self) -> int:
        with signals(self._stop):
            while not self._stopped:
                self._roster.beat()
                for child in self._children:
                    self._tend(child)
                self._wait()
            log.info("%s: stopping", self._stopped.by)
            return self._end()

    def _stop(self, by: str) -> None:
        self._stopped.stop(by)
        self._waker.wake()

    def _tend(self, child: _Child) -> None:
        now = time.monotonic()
        if child.process is not None:
            if child.process.is_alive():
                return
            code, child.process = child.process.exitcode, None
            crashed = code not in (0, EX_STUCK)
            self._roster.ended(child.share.name, crashed=crashed)
            if child.files is not None and crashed:
                self._counts.add(read_notes(child.files.notes))
            child.deaths = 0 if now - child.started > _QUIET else child.deaths + 1
            delay = RESTART[min(max(child.deaths - 1, 0), len(RESTART) - 1)]
            child.due = now + delay
            log.error("worker %s ended with code %s; again in %g s", child.share.name, code, delay)
        if now >= child.due:
            child.process = self._context.Process(
                target=_work, args=(self._config.file, child.share, child.files), name=child.share.name
            )
            child.started = now
            child.process.start()
            self._roster.started(child.share.name, child.process.pid)
            log.info("worker %s started with process id %s", child.share.name, child.process.pid)

    def _wait(self) -> None:
        """Wait until a worker ends or somebody asks to stop; at most until it is time to look again."""
        sentinels = [child.process.sentinel for child in self._children if child.process is not None]
        wait([*sentinels, self._waker.fileno()], timeout=0.5 if sentinels else 0.2)

    def _end(self) -> int:
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
        return 0


def _work(file: str, share: Share, files: CrashFiles) -> None:
    """Be a worker process; the configuration is read again, since secrets travel in no pickle."""
    config = load(Path(file))
    logs.set_up_run(config.logging, config.log_handlers)
    plans = [plan for plan in config.consumers if plan.name in share.consumers]
    worker = Worker(config, plans, crash_files=files)
    gc.freeze()  # what is loaded stays; to look through it again and again takes 25 ms each time
    _stop_with_parent(worker)
    with signals(worker.stop):
        try:
            worker.run()
        except Exception:
            log.critical("worker %s fails", share.name, exc_info=True)
            sys.exit(1)
    sys.exit(worker.exit_code)


def _stop_with_parent(worker: Worker) -> None:
    """End soon after the supervisor, however it ended: nobody would restart or stop this process any more."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            wait([parent.sentinel])
            log.error("the supervisor is gone; stopping")
            worker.stop("the supervisor's end")

    threading.Thread(target=watch, name="parent", daemon=True).start()
