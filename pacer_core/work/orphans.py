"""Processes that end soon after their supervisor, however it ended."""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import wait

from pacer_core.work.exit_codes import end_damaged

log = logging.getLogger("pacer.supervisor")

_ORPHANED = 2.0  # seconds after which a supervisor that has ended is no longer its worker's parent


def stop_with_parent(stop: Callable[[str], object]) -> None:
    """Stop soon after the supervisor: nobody would restart or stop this process any more."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            wait([parent.sentinel])
            # A process that dies closes its descriptors a moment before its children are another's.
            until = time.monotonic() + _ORPHANED
            while os.getppid() == parent.pid:
                if time.monotonic() > until:  # what ended is the descriptor alone
                    end_damaged()
                time.sleep(0.02)
            log.error("the supervisor is gone; stopping")
            stop("the supervisor's end")

    threading.Thread(target=watch, name="parent", daemon=True).start()
