"""What nobody calls for: messages that fall due, owners that die, and writers who cannot call.

One thread for each process and broker, from the first subscription on. It sleeps until a message falls due,
and ten times a second looks for dead owners and for what was written by a process whose calls do not arrive
(calls stay within a network namespace: two containers that share the file do not hear each other). What it
finds makes the sockets of waiting connections readable, so that they may wait on those and nothing else.
"""

from __future__ import annotations

import logging
import threading
import time

from pacer_embedded import deadletters, owners
from pacer_embedded.store import Store

log = logging.getLogger("pacer.transport")

TICK = 0.1

_listening = threading.Lock()


def listen(store: Store, address: str) -> None:
    """Call this connection from now on when there may be something for it; a second call does nothing."""
    with _listening:
        if store.watch is None:
            store.watch = Watch(store)
        store.watch.listeners.add(address)


def unlisten(store: Store, address: str) -> None:
    """Call a connection no longer; the watch ends with the last one."""
    with _listening:
        watch = store.watch
        if watch is None:
            return
        watch.listeners.discard(address)
        if watch.listeners:
            return
        store.watch = None
    watch.stop()


class Watch:
    """The thread that watches one broker for the connections of this process."""

    def __init__(self, store: Store) -> None:
        self.listeners: set[str] = set()
        self._store = store
        self._due: int | None = 0  # milliseconds since 1970; at first, look at once
        self._version = -1
        self._changed = threading.Event()
        self._stopped = False
        self._trouble = ""
        self._thread = threading.Thread(target=self._run, name="pacer embedded broker", daemon=True)
        self._thread.start()

    def falls_due(self, when: int | None) -> None:
        """Be awake at this time, in milliseconds since 1970."""
        if when is not None and (self._due is None or when < self._due):
            self._due = when
            self._changed.set()

    def stop(self) -> None:
        """End the thread."""
        self._stopped = True
        self._changed.set()
        self._thread.join()

    def _run(self) -> None:
        look = 0.0
        while not self._stopped:
            try:
                if self._due is not None and time.time() * 1000 >= self._due:
                    self._expire()
                if time.monotonic() >= look:
                    look = time.monotonic() + TICK
                    self._look()
                    self._trouble = ""
            except Exception as error:
                # Its file is damaged or replaced, its disk full, no descriptor left: whatever it is, without
                # this thread no retry would ever fall due. It looks again, and those who wait meet the same
                # error and can say so.
                self._due, self._version = None, -1
                if str(error) != self._trouble:
                    self._trouble = str(error)
                    log.warning("the embedded broker's watch: %s; it goes on", error)
                look = max(look, time.monotonic() + TICK)
                self._tell()
            pause = look - time.monotonic()
            if self._due is not None:
                pause = min(pause, self._due / 1000 - time.time())
            self._changed.wait(max(0.0, pause))
            self._changed.clear()

    def _expire(self) -> None:
        with self._store.transaction() as session:
            deadletters.expire(session)
            self._due = deadletters.next_due(session)

    def _look(self) -> None:
        owners.reap(self._store)
        version = self._store.version()
        if version != self._version:
            self._version = version
            with self._store.transaction() as session:
                self._due = deadletters.next_due(session)
            self._call()

    def _tell(self) -> None:
        try:
            self._call()
        except OSError:  # the same trouble; whoever waits looks by itself before long
            log.debug("the embedded broker's watch cannot call", exc_info=True)

    def _call(self) -> None:
        self._store.call(list(self.listeners))
