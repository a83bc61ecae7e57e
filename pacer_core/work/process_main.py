"""A worker's or a service's process, from its start to its exit code."""

from __future__ import annotations

import gc
import logging
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pacer_core.config import load
from pacer_core.observe import logs
from pacer_core.work.crashes import CrashFiles
from pacer_core.work.orphans import stop_with_parent
from pacer_core.work.os_signals import signals
from pacer_core.work.service import serve
from pacer_core.work.shares import Share
from pacer_core.work.worker import Worker

if TYPE_CHECKING:
    pass


log = logging.getLogger("pacer.supervisor")


def run_worker(file: str, sources: Mapping[str, str], share: Share, files: CrashFiles) -> None:
    """Be a worker process, with the files as the supervisor has read and checked them."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a terminal's goes to all; the supervisor decides
    config = load(Path(file), sources)
    logs.set_up_run(config.logging, config.log_handlers)
    plans = [plan for plan in config.consumers if plan.name in share.consumers]
    worker = Worker(config, plans, queues=share.queues, crash_files=files)
    calm_collector()
    stop_with_parent(worker.stop)
    with signals(worker.stop):
        try:
            worker.run()
        except Exception:
            log.critical("worker %s fails", share.name, exc_info=True)
            sys.exit(1)
    sys.exit(worker.exit_code)


def calm_collector() -> None:
    """Keep Python's collector from looking again and again at what stays: what is loaded, what is in hand.

    To look through what is loaded takes 25 ms each time. A thousand messages in hand are looked through for
    each 700 objects by default, which takes a tenth of the time that is spent on them.
    """
    gc.freeze()
    gc.set_threshold(20_000, *gc.get_threshold()[1:])


def run_service(file: str, sources: Mapping[str, str], share: Share, files: CrashFiles) -> None:
    """Be a process of a service, with the files as the supervisor has read and checked them."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    config = load(Path(file), sources)
    logs.set_up_run(config.logging, config.log_handlers)
    (plan,) = (one for one in config.services if one.name == share.service)
    sys.exit(serve(config, plan, share.instance, files))
