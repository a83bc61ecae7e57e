"""A guard over HDF5: one thread at a time, and none for ever.

h5py lets one thread in at a time anyway, and asks for that at each of its calls: threads that take turns
within a value hand its lock and the interpreter's to one another, for nothing. So they take turns by values.

There are damaged files in which the library goes round for ever. Nothing within a process ends that, and
nobody else gets in meanwhile. So the process is ended: as after a crash, others take its messages over, and
the one whose file it was is dead in the end.
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
        self._turn = threading.Lock()
        self._running: tuple[float, str] | None = None
        self._thread: threading.Thread | None = None

    @contextmanager
    def over(self, what: str) -> Iterator[None]:
        """Let this thread in, and watch over what it does within: ``what`` names that in the log."""
        with self._turn:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="hdf5-watch", daemon=True)
                self._thread.start()
            self._running = time.monotonic(), what
            try:
                yield
            finally:
                self._running = None

    def _run(self) -> None:
        while True:
            time.sleep(LONGEST / _LOOKS)
            began, what = self._running or (time.monotonic(), "")
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
