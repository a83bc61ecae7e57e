"""A guard over HDF5: there are damaged files in which its library goes round for ever.

Nothing within a process ends that, and h5py lets nobody else in meanwhile. So the process is ended: as after
a crash, others take its messages over, and the one whose file it was is dead in the end.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST = 600.0
"""Seconds that HDF5 may take for one value: a disk that is that slow is in trouble as well."""
_LOOKS = 20
"""How often it is looked within that time."""
log = logging.getLogger("pacer.scicat.hdf5")


class Watch:
    """Ends the process where something within `over` lasts longer than `LONGEST`."""

    def __init__(self) -> None:
        self._running: dict[int, tuple[float, str]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def over(self, what: str) -> Iterator[None]:
        """Watch over what is done within: ``what`` names it in the log."""
        own = threading.get_ident()
        self._running[own] = (time.monotonic(), what)
        if self._thread is None:
            self._start()
        try:
            yield
        finally:
            del self._running[own]

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="hdf5-watch", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            time.sleep(LONGEST / _LOOKS)
            began, what = min(self._running.copy().values(), default=(time.monotonic(), ""))
            if time.monotonic() - began > LONGEST:
                log.critical(
                    "HDF5 has not come back from %s for %g s: the file is damaged, or its disk in trouble; "
                    "this process is killed, and its messages come again",
                    what,
                    LONGEST,
                )
                os.kill(os.getpid(), signal.SIGKILL)


WATCH = Watch()
"""The process's."""
