"""One message that a worker has in hand, with what is known of it so far."""

from __future__ import annotations

import sys
import threading

import attrs
from attrs import define

from pacer_core.config.model import ConsumerPlan
from pacer_core.model.messages import Delivery
from pacer_core.pipeline.processing import Begun
from pacer_core.transport.consume import Received
from pacer_core.transport.forward import Ahead

_ANY = sys.maxsize


@define(eq=False)
class Job:
    """One message in hand, with what is known of it so far."""

    received: Received
    plan: ConsumerPlan
    message: object = None
    failed: Delivery | None = None
    """Set where it could not be parsed, or its key not be found."""
    settled_as_is: bool = False
    """Whether a failed one is not even forwarded: a loop, or what kills workers."""
    key: str | None = None
    alone: bool = False
    """Whether it has been in crashes, and is to run with nothing else inside a task."""
    arrived: float = 0.0
    ahead: Ahead | None = None
    """How forwarding it went, where that was done together with other messages."""
    begun: Begun | None = None
    """What is left of a task that ran for many messages at once."""
    began: float | None = None
    """When a thread took it up, on the monotonic clock."""
    mark: bytes = b""
    """What it is noted by; see `crashes.fingerprint`."""
    slot: int | None = None
    """Where it is noted until it is acknowledged: what a task has damaged may end the process only then."""
    rejected: bool = False
    """Whether it is settled by rejecting it, and not by an acknowledgement: the broker takes no copy."""
    _claimed: bool = False
    lock: threading.Lock = attrs.field(factory=threading.Lock)

    @property
    def time_limit(self) -> float:
        """How many seconds its tasks may take."""
        return self.plan.config.task_timeout.total_seconds()

    @property
    def at_once(self) -> int:
        """With how many messages of its consumer it is handled together at most; 0 where it is not."""
        if self.key is not None:
            return 0
        if not self.plan.pipeline.tasks:
            return _ANY
        task = self.plan.takes_many
        return 0 if task is None else task.many

    def claim(self) -> bool:
        """Win the right to settle it; ``True`` for the first to ask."""
        with self.lock:
            claimed, self._claimed = self._claimed, True
            return not claimed
