"""Publishing: a job in the outbox becomes a message, and leaves it when the broker has confirmed."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from pacer_core import RefusedError, ServiceContext
from pacer_pacifica.jobs import MOVE, UPLOAD, DatabaseError, Job, Jobs, Outbox, Over
from pacer_pacifica.messages import message_of
from pacer_pacifica.service.options import ServiceOptions

_GLANCE = 0.1  # seconds between two looks at whether PACER stops


class Sender:
    """Sends what the outbox holds; `wake` may be called from any thread."""

    def __init__(self, ctx: ServiceContext, jobs: Jobs, outbox: Outbox) -> None:
        options: ServiceOptions = ctx.options
        self._ctx, self._jobs, self._outbox = ctx, jobs, outbox
        self._to = {UPLOAD: options.bundles, MOVE: options.moves}
        self._woken = threading.Event()

    def wake(self) -> None:
        """Have the outbox looked at."""
        self._woken.set()

    def wait(self, seconds: float) -> None:
        """Wait until there may be something to send, or PACER stops."""
        until = time.monotonic() + seconds
        while not self._woken.wait(_GLANCE) and time.monotonic() < until:
            if self._ctx.stopping.is_set():
                return
        self._woken.clear()

    def send(self) -> None:
        """Send all that is there.

        Raises
        ------
        DatabaseError
            Where the outbox cannot be read.
        Stopping
            Where PACER stops meanwhile; what is left is sent when it runs again.
        """
        while (jobs := self._outbox.unpublished()) and not self._ctx.stopping.is_set():
            for job in jobs:
                self._send(job)

    def _send(self, job: Job) -> None:
        to = self._to[job.kind]
        if to is None:
            self._fail(job, "files are not moved here any more: name a consumer as moves")
            return
        body, message_id = message_of(job)
        try:
            self._ctx.publish(to, body, content_type="application/json", message_id=message_id)
        except RefusedError as error:
            self._fail(job, f"the broker does not take its message: {error}")
            return
        self._outbox.published(job)
        self._ctx.log.debug("job %d, attempt %d is published", job.id, job.attempt)

    def _fail(self, job: Job, why: str) -> None:
        self._ctx.log.error("job %d fails: %s", job.id, why)
        with suppress(Over):  # it has ended, or begun anew, meanwhile
            self._jobs.fail(job.id, job.attempt, None, why)


def trouble(error: DatabaseError) -> str:
    """Say in health what a database that does not answer means."""
    return f"{error}: bring it back; uploads get 503 meanwhile"
