"""The thread of a web process that sends batches; it is there as long as there is something to send."""

from __future__ import annotations

import logging
import threading

from django.db import connection

log = logging.getLogger("pacer.dashboard.again")

_lock = threading.Lock()
_thread: threading.Thread | None = None
_again = threading.Event()


def wake() -> None:
    """See to it that somebody in this process looks for batches that nobody sends."""
    global _thread
    with _lock:
        _again.set()
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_work, name="again", daemon=True)
            _thread.start()


def _work() -> None:
    global _thread
    from pacer_dashboard.again import runner

    try:
        while True:
            _again.clear()
            runner.work_off()
            with _lock:
                if not _again.is_set():
                    _thread = None
                    return
    except Exception:  # the database is away: whoever looks at a batch wakes the next one
        log.exception("batches are not sent for now")
    finally:
        connection.close()
