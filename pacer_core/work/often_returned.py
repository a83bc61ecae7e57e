"""Messages that were returned often: each gets a fresh copy before its queue would drop it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from pacer_core.config.model import Broker
from pacer_core.transport.consume import Received, Waker
from pacer_core.transport.delivery_limits import Limit
from pacer_core.transport.renewal import Renewal, Renewer
from pacer_core.transport.signing import Signer
from pacer_core.work.acknowledging import Acknowledgements
from pacer_core.work.handling import Handler
from pacer_core.work.job import Job


class OftenReturned:
    """The messages of which copies are under way, and those that cannot be copied.

    Parameters
    ----------
    broker
        Where they are copied, to count anew.
    signer
        Signs these copies; without one they would be first sights.
    handler
        Knows which messages may not be overtaken.
    acknowledgements
        Told of each that has its copy.
    waker
        Ends the connection thread's wait: there is something to do.
    """

    def __init__(
        self,
        broker: Broker,
        signer: Signer | None,
        handler: Handler,
        acknowledgements: Acknowledgements,
        waker: Waker,
    ) -> None:
        self._handler, self._acknowledgements, self._waker = handler, acknowledgements, waker
        self._renewer = Renewer(broker, signer, self._renewed)
        self._limits: Mapping[str, Limit] = {}
        self._renewing: dict[Received, tuple[float, Job | None]] = {}
        self._kept: set[Received] = set()
        self.refused: deque[tuple[Received, float, Job | None]] = deque()
        """Those that cannot be copied, and are to be handled as they are: when each came, and what it is."""

    def __len__(self) -> int:
        return len(self._renewing)

    def __bool__(self) -> bool:
        # What is renewed leaves that for what is refused: asked for first, it cannot be missed.
        return bool(self._renewing or self.refused)

    @property
    def arrived(self) -> list[float]:
        """When the first of those came that are being copied, if any is."""
        return [at for at, _ in list(self._renewing.values())[:1]]

    @property
    def copies(self) -> bool:
        """Whether copies are under way whose messages can still be acknowledged."""
        return any(received.subscription.open for received in list(self._renewing))

    def begin(self, limits: Iterable[Limit]) -> bool:
        """Look out for messages of these queues; say whether there are any to look out for."""
        self._limits = {one.queue: one for one in limits if one.quorum is not False}
        return bool(self._limits)

    def drop(self) -> None:
        """Forget all of them: the broker has them back."""
        for _, job in list(self._renewing.values()):
            if job is not None:
                self._handler.release(job)
        self._renewing.clear()
        self.refused.clear()
        self._kept.clear()

    def beat(self) -> None:
        """Keep the connection for copies alive."""
        self._renewer.beat()

    def close(self) -> None:
        """Close that connection."""
        self._renewer.close()

    def take_refused(self) -> Iterator[tuple[Received, float, Job | None]]:
        """Give those that are to be handled as they are."""
        while self.refused:
            refused = self.refused.popleft()
            self._kept.add(refused[0])
            yield refused

    def _near(self, received: Received) -> Limit | None:
        """Give the limit that a message nears."""
        limit = self._limits.get(received.envelope.queue)
        if limit is None or received.envelope.returns < limit.renew_at or received in self._kept:
            return None
        return limit

    def early(self, received: Received, at: float) -> bool:
        """Have a message copied before anything else is done with it; say whether it is.

        Not one that is not to be overtaken: its key comes first, as long as it can afford to wait for that.
        """
        limit = self._near(received)
        if limit is None:
            return False
        queue = received.envelope.queue
        if self._handler.is_ordered(queue) and received.envelope.returns < limit.last:
            return False
        self._renewing[received] = (at, None)
        self._renewer.submit(Renewal(received, self._handler.consumer(queue)))
        return True

    def in_order(self, job: Job) -> bool:
        """Have a message copied, and hold up those of its key that come after it."""
        if job.failed is not None or self._near(job.received) is None:
            return False
        ordered = job.key is not None
        self._handler.hold(job)
        self._renewing[job.received] = (job.arrived, job)
        self._renewer.submit(Renewal(job.received, job.plan.name, ordered=ordered))
        return True

    def _renewed(self, renewal: Renewal, confirmed: bool) -> None:
        """Take note of a copy, in the thread that makes them."""
        received = renewal.received
        held = self._renewing.get(received)
        if held is None:
            return  # the connection was given up, and the broker has the message again
        if confirmed:
            self._acknowledgements.copied(received)
        else:
            self.refused.append((received, *held))
        self._renewing.pop(received, None)
        self._waker.wake()
