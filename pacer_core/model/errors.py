"""What goes wrong, in words: every error says what, where, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen


class PacerError(Exception):
    """The root of all errors that PACER raises on purpose; the command line prints them without a trace."""


class PluginError(PacerError):
    """A plugin could not be loaded, or two plugins offer the same name."""


class BrokerError(PacerError):
    """The broker refused something, or does not answer."""


class PermissionRefusedError(BrokerError):
    """The broker knows the account, and does not let it do something; others can mend that meanwhile."""


class NotTakenError(BrokerError):
    """The broker is there, and does not take one message; what it says of others is another matter."""


class RefusedError(NotTakenError):
    """The broker does not take a message for what it is: too large, for instance; nor would it later."""


class TaskError(PacerError, TypeError):
    """A task did what no task may: a mistake of its author, who is told which."""


class FactsTooLargeError(PacerError):
    """A task wrote more into ``ctx.facts`` than a message header may carry (8 KiB of JSON)."""


@frozen
class BadField:
    """One field of a message that cannot be accepted.

    ``path`` names the field of the message class (``sample.name``, ``parameters[3].value``, ``$`` for the
    message as a whole). ``message`` says what is wrong and never quotes the value: values may be personal
    data, and errors travel to logs and dead queues.
    """

    path: str
    message: str

    def __str__(self) -> str:
        """Give ``path: message``."""
        return f"{self.path}: {self.message}"


class Signal(PacerError):
    """What a task may return or raise instead of finishing: `Retry`, `NotYet` or `Reject`."""

    def __init__(self, reason: object) -> None:
        super().__init__(reason)
        self.reason = str(reason)


class Retry(Signal):
    """The outside world failed; the same message may succeed later.

    ``after`` is a wished delay in seconds; it is rounded up to a step of the broker's ladder of retry
    queues. Without it the consumer's retry policy decides. ``counted=False`` is for what says itself that it
    is away (a database that is read-only, or shutting down), whichever message asks: nothing is known against
    this one, which waits without coming nearer to its limit of retries.
    """

    def __init__(self, reason: object, *, after: float | None = None, counted: bool = True) -> None:
        if after is not None and not (isinstance(after, int | float) and after >= 0):
            raise TaskError("after= is a number of seconds, from 0 on")
        super().__init__(reason)
        self.after = after
        self.counted = counted


class AwayError(Signal):
    """An outside system is away, and nothing is known against the message: it waits, uncounted.

    The core's own: plugins say it with their integration's ``is_away``.
    """


class IgnoreError(Signal):
    """The body is a message that its class names in ``XML_IGNORED``: there is nothing to do with it.

    The core's own: the message is acknowledged and counted.
    """


class NotYet(Signal):
    """Something that another message will bring is still missing: a dataset before its investigation.

    Retried for as long as the consumer's ``notYet: {for: ...}`` says, then dead.
    """


class Reject(Signal):
    """The message itself is wrong and will never succeed: it goes to the dead queue.

    ``fields`` names what is wrong in it, field by field.
    """

    def __init__(self, reason: object, *, fields: Sequence[BadField] = ()) -> None:
        super().__init__(reason)
        self.fields = tuple(fields)

    def __str__(self) -> str:
        """Give the reason, followed by the first three bad fields and how many more there are."""
        shown = "; ".join(str(field) for field in self.fields[:3])
        more = f"; and {len(self.fields) - 3} more" if len(self.fields) > 3 else ""
        return f"{self.reason}: {shown}{more}" if shown else self.reason
