"""One process of a service: what its plugin's ``run`` sees, and how it is seen from outside.

``run`` has the process's main thread. What it publishes waits for the broker's confirm, and for the broker
itself where that is away: nothing is dropped, since only the service knows how to have it again.
"""

from __future__ import annotations

import logging
import threading
from urllib.parse import quote

from pacer_core.config.model import Config, ServicePlan
from pacer_core.model.errors import PacerError
from pacer_core.model.private_files import make_folder
from pacer_core.model.secrets import redact
from pacer_core.model.services import ServiceContext, Stopping
from pacer_core.observe.board import Board
from pacer_core.observe.metrics import service_shape
from pacer_core.pipeline.unexpected import label
from pacer_core.work.crashes import CrashFiles, Notes
from pacer_core.work.orphans import stop_with_parent
from pacer_core.work.os_signals import signals
from pacer_core.work.service_sender import Sender
from pacer_core.work.service_state import Shown, StopFlag

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
        self._stopping = StopFlag()
        self._shown = Shown(self._board, self._stopping)
        self._sender = Sender(config, plan, self._board, self._stopping, self._shown)

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
            waiting=self._sender.waiting,
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
