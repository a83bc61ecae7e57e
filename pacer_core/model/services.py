"""What plugins register to bring messages in: service types, and what a running service sees."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from attrs import field, frozen

from pacer_core.model.errors import PacerError, RefusedError
from pacer_core.model.integrations import Seen


class Stopping(PacerError):
    """PACER stops, and the broker has not confirmed a message: leave its source unacknowledged.

    `ServiceContext.publish` raises it. Nothing has to catch it: a service that ends with it while it is told
    to stop has ended well.
    """


class StoppingEvent(Protocol):
    """Tells a service to end; like a ``threading.Event`` that the service cannot set."""

    def is_set(self) -> bool:
        """Say whether the service is to end."""
        ...

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the service is to end, or so many seconds are over; say whether it is to end."""
        ...


@frozen(eq=False)
class ServiceType:
    """A process of its own that turns something else into messages: files, a topic, uploads.

    Attributes
    ----------
    name
        What YAML calls it: the ``type`` of an entry of ``services:``.
    options
        The attrs class of its YAML options, or ``None``.
    run
        ``run(ctx)`` works until ``ctx.stopping`` is set, and returns then. Where it returns earlier, or
        raises, the process is started again after a while that grows. It may be killed at any moment.
    check
        For ``pacer doctor``: ``check(options)`` looks whether it could run, as `IntegrationType.examine`
        does. Changes nothing.
    publishes
        ``publishes(options)`` names the consumers and queues that it publishes to: the configuration is
        checked for them, and they are declared before it runs.
    counts
        What it may count with `ServiceContext.count`.
    """

    name: str
    options: type | None
    run: Callable[[ServiceContext], object]
    check: Callable[[Any], Iterable[Seen]] | None = None
    publishes: Callable[[Any], Iterable[str]] | None = None
    counts: tuple[str, ...] = ()


@frozen
class Publication:
    """One message of a service on its way to the broker."""

    to: str
    """A consumer, whose first queue it goes to, or a queue."""
    body: bytes
    headers: Mapping[str, Any] = field(factory=dict)
    content_type: str | None = None
    message_id: str | None = None
    dead: str = ""
    """Why nobody can handle it; with a reason it goes into the dead queue of ``to``, as a letter there."""


class ServiceContext:
    """What a service sees; its methods may be called from several threads.

    Attributes
    ----------
    name
        The service's name in the configuration.
    instance, instances
        Which of how many processes this is, from 1.
    options
        An instance of the type's options class.
    folder
        A folder of this service's on a local disk, which outlives every process. Its instances share it.
    stopping
        Set when the service is to end; ``wait(seconds)`` is how it should pass its time.
    """

    def __init__(
        self,
        name: str,
        options: Any,
        *,
        folder: Path,
        stopping: StoppingEvent,
        publish: Callable[[Sequence[Publication]], list[RefusedError | None]],
        waiting: Callable[[str], int | None],
        ready: Callable[[], None],
        trouble: Callable[[str], None],
        count: Callable[[str, int], None],
        instance: int = 1,
        instances: int = 1,
    ) -> None:
        self.name, self.options, self.folder, self.stopping = name, options, folder, stopping
        self.instance, self.instances = instance, instances
        self._publish, self._waiting = publish, waiting
        self._ready, self._trouble, self._count = ready, trouble, count

    @property
    def log(self) -> logging.Logger:
        """The service's logger. Personal data belongs at ``DEBUG`` alone."""
        return logging.getLogger(f"pacer.service.{self.name}")

    def publish(
        self,
        to: str,
        body: bytes,
        headers: Mapping[str, Any] | None = None,
        *,
        content_type: str | None = None,
        message_id: str | None = None,
    ) -> None:
        """Publish one message; returns when the broker has confirmed it, and its source may be forgotten.

        A broker that is away, and a queue that is gone or full, are waited for, and said in health meanwhile.
        Where a confirm is lost with the connection, the message is sent again.

        Parameters
        ----------
        to
            A consumer, whose first queue the message goes to, or a queue: one that ``publishes`` names.
        body
            The message's bytes, which travel as they are.
        headers
            Headers of the service's own; names that begin with ``x-pacer-`` are PACER's.
        content_type
            The media type; without it, the first byte of the body tells its consumer.
        message_id
            By which a repeat can be recognised; without it, the message gets one of its own. It is the
            message's correlation id as well.

        Raises
        ------
        RefusedError
            Where the broker does not take this message for what it is (too large, for instance), nor would
            later.
        Stopping
            Where PACER stops meanwhile.
        PacerError
            Where there is no consumer or queue of that name.
        """
        (refused,) = self._publish([Publication(to, body, dict(headers or {}), content_type, message_id)])
        if refused is not None:
            raise refused

    def publish_each(self, publications: Sequence[Publication]) -> list[RefusedError | None]:
        """Publish messages together; returns when the broker has confirmed all that it takes.

        Many times faster than one after another, since the broker is not waited for in between. They come in
        in this order, but for those that have to be sent again.

        Returns
        -------
        list
            Of each message why the broker will never take it, or ``None`` where it is confirmed.

        Raises
        ------
        Stopping
            Where PACER stops meanwhile; some of the messages may have been confirmed.
        PacerError
            Where there is no consumer or queue of a name.
        """
        return self._publish(publications)

    def waiting(self, to: str) -> int | None:
        """Give how many messages wait in a consumer's first queue, or in a queue, for somebody to read them.

        ``None`` where the broker does not tell, since it is away or has no such queue yet.

        Raises
        ------
        PacerError
            Where there is no consumer or queue of that name.
        """
        return self._waiting(to)

    def ready(self) -> None:
        """Say that the service does what it is there for; until then it counts as starting."""
        self._ready()

    def trouble(self, text: str) -> None:
        """Say in health what keeps the service from its work, and what to do; ``""`` once it is over."""
        self._trouble(text)

    def count(self, what: str, number: int = 1) -> None:
        """Count something for the metrics: one of the names in the type's ``counts``."""
        self._count(what, number)
