"""All processes: one per key space, ``workers`` per consumer without keys, ``instances`` per service.

What dies is started again.

The supervisor ends when it is told to, and for nothing else: what it cannot do now (a full disk, no more
processes) it tries again, and says so in health.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pacer_core.config import check
from pacer_core.config.model import Config
from pacer_core.model.errors import BrokerError, PermissionRefusedError
from pacer_core.model.secrets import redact
from pacer_core.observe import logs
from pacer_core.pipeline import spans
from pacer_core.transport.connection import connect
from pacer_core.transport.consume import Waker
from pacer_core.transport.delivery_limits import limits, warnings
from pacer_core.transport.signing import signer_for
from pacer_core.transport.topology import declare
from pacer_core.work.os_signals import Stopped, deaf, signals
from pacer_core.work.processes import Processes
from pacer_core.work.state_folder import occupy
from pacer_core.work.worker import Worker

if TYPE_CHECKING:
    from pacer_core.observe.health import Roster

log = logging.getLogger("pacer.supervisor")

_LOOK = 2.0  # seconds between looks whether the configuration's files have changed


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


class _Supervisor:
    def __init__(self, config: Config, roster: Roster) -> None:
        self._config, self._roster = config, roster
        self._stopped, self._waker = Stopped(), Waker()
        self._processes = Processes(config, roster, self._waker)
        self._asked_to_reload = False
        self._next: Config | None = None
        self._changed: tuple[str, ...] = ()
        self._look = 0.0

    def close(self) -> None:
        """Leave the state folder to others."""
        self._processes.close()
        self._waker.close()

    def run(self) -> int | Config:
        with signals(self._stop, self._reload):
            while not self._stopped and self._next is None:
                self._roster.beat()
                if self._asked_to_reload:
                    self._asked_to_reload = False
                    self._next = self._read_again()
                    continue
                self._processes.tend()
                self._look_at_files()
                self._processes.wait()
            log.info("%s: stopping", self._stopped.by or "the configuration was read again")
            self._processes.end()
            return 0 if self._stopped or self._next is None else self._next

    def _stop(self, by: str) -> None:
        self._stopped.stop(by)
        self._waker.wake()

    def _reload(self) -> None:
        self._asked_to_reload = True
        self._waker.wake()

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
