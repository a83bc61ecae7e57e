"""The supervisor's processes: started, watched, ended, and started again when they die."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import time
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from attrs import define, field

from pacer_core.config.model import Config
from pacer_core.model.secrets import redact
from pacer_core.observe.board import look, provide
from pacer_core.observe.metrics import Shape, service_shape, shape
from pacer_core.transport.consume import Waker
from pacer_core.work.crashes import Counts, CrashFiles, allocate, empty, late, leaving
from pacer_core.work.exit_codes import EX_STUCK
from pacer_core.work.process_main import run_service, run_worker
from pacer_core.work.shares import Share, shares
from pacer_core.work.state_folder import leftovers, occupy

if TYPE_CHECKING:
    from pacer_core.observe.health import Roster

log = logging.getLogger("pacer.supervisor")

RESTART = (0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
"""Seconds before a worker that died is started again; the last repeats, the first after a quiet minute."""
_QUIET = 60.0
_MARGIN = 10.0  # beyond shutdownGrace and taskTimeout, before a worker that does not end is killed
_AGAIN = (0.5, 1.0, 2.0)  # seconds before what the system refused is tried again; the last repeats
_SAID_AGAIN = 30  # refusals after which the log has the same line again


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


class Processes:
    """Every process of a configuration.

    Parameters
    ----------
    config
        What they run.
    roster
        Is told how each of them is, and seen in health.
    waker
        Ends `wait`.
    """

    def __init__(self, config: Config, roster: Roster, waker: Waker) -> None:
        self._config, self._roster, self._waker = config, roster, waker
        # Forking a process with threads and open connections copies their locks and sockets: never.
        self._context = multiprocessing.get_context("spawn")
        folder = config.state_folder
        self._place = occupy(folder, ours=config.processes.state_folder is None)
        self._counts = Counts(folder / "crashes.json")
        self._left = list(leftovers(folder, self._place))
        self._children = [_Child(share, self._files(number)) for number, share in enumerate(shares(config))]
        for child in self._children:
            with contextlib.suppress(OSError):  # a read-only disk is said where it hinders
                child.files.board.unlink(missing_ok=True)
            roster.add(child.share.name, partial(look, child.files.board), child.share.kind)

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

    def tend(self) -> None:
        """Look after each of them."""
        for child in self._children:
            self._tend(child)

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
            target=run_service if child.share.service else run_worker,
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

    def wait(self) -> None:
        """Wait until a worker ends or somebody asks to stop; at most until it is time to look again."""
        sentinels = [child.process.sentinel for child in self._children if child.process is not None]
        try:
            wait([*sentinels, self._waker.fileno()], timeout=0.5 if sentinels else 0.2)
        except OSError as error:
            log.error("cannot wait for the workers: %s", error)
            time.sleep(0.5)
        self._waker.clear()

    def end(self) -> None:
        """Let all of them finish, and kill who does not."""
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
