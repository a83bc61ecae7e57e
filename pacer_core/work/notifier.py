"""``pacer_message_settled``: plugins hear of messages after the broker has been answered, and delay nothing.

Each plugin that implements the hook has a thread of its own behind a bounded queue. What does not fit in is
counted and forgotten: a plugin that is slow, stuck or broken harms neither messages nor other plugins.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pacer_core.config.model import Config, ConsumerPlan
from pacer_core.model.errors import PacerError
from pacer_core.model.messages import Delivery
from pacer_core.model.notification import Publish, SettledContext
from pacer_core.model.secrets import redact
from pacer_core.model.wording import counted
from pacer_core.observe.logs import correlation_id
from pacer_core.pipeline.unexpected import outline
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher

if TYPE_CHECKING:
    from pacer_core.work.clients import OpenIntegrations

Listen = Callable[..., Any]

log = logging.getLogger("pacer.listeners")

MOST = 1000
"""Messages that wait for one plugin at most."""
MOST_BYTES = 64 * 1024 * 1024
"""Bytes that the bodies of these may have together."""
GRACE = 5.0
"""Seconds that a plugin has for what waits when the worker stops."""
_IDLE = 5.0  # seconds after which a thread that has nothing to tell keeps the connection alive
_GOODBYE = 1.0  # seconds to close the connection
_QUIET = 60.0  # seconds between two words about the same trouble


class Listeners:
    """Tells the plugins that listen what became of each message of one worker."""

    def __init__(
        self,
        config: Config,
        plans: Sequence[ConsumerPlan],
        integrations: OpenIntegrations,
        lost: Callable[[str, int], None],
    ) -> None:
        self._publisher = Publisher(config.broker)
        self._listeners = [
            _Listener(
                name,
                listener.listen,
                config.state_folder,
                heard,
                integrations,
                self._publish,
                self._publisher.beat,
                lost,
            )
            for name, listener in config.listeners.items()
            if (heard := [plan for plan in plans if listener.is_for(plan.config.type)])
        ]

    def tell(self, delivery: Delivery) -> None:
        """Tell every plugin of a message that the broker has been answered for; waits for nothing."""
        for listener in self._listeners:
            listener.tell(delivery)

    def close(self) -> None:
        """Let each plugin hear what waits for it, for a few seconds."""
        until = time.monotonic() + GRACE
        for listener in self._listeners:
            listener.end()
        for listener in self._listeners:
            listener.join(until)

    def hang_up(self) -> None:
        """Close the connection by which they publish, without waiting for confirms."""
        closing = threading.Thread(target=self._publisher.close, daemon=True)
        closing.start()
        closing.join(_GOODBYE)

    def _publish(
        self, exchange: str, routing_key: str, bodies: Sequence[bytes], content_type: str
    ) -> Sequence[PacerError | None]:
        properties = {"content_type": content_type, "content_encoding": "utf-8", "delivery_mode": 2}
        return self._publisher.publish_each(
            [Outgoing(exchange, routing_key, body, properties=properties) for body in bodies]
        )


class _Listener:
    """One plugin's thread, begun with the first message, and what waits for it."""

    def __init__(
        self,
        name: str,
        listen: Listen,
        folder: Path,
        plans: Sequence[ConsumerPlan],
        integrations: OpenIntegrations,
        publish: Publish,
        beat: Callable[[], None],
        lost: Callable[[str, int], None],
    ) -> None:
        self._name, self._listen, self._beat, self._lost = name, listen, beat, lost
        self._contexts = {
            plan.name: SettledContext(
                plan.config.type,
                plan.integrations,
                integrations.clients(plan),
                folder,
                publish,
                lambda records: lost(name, records),
            )
            for plan in plans
        }
        self._close_thread = integrations.close_thread
        self._deaf: set[str] = set()  # the consumers of which the plugin wants to hear no more
        self._waiting: deque[Delivery] = deque()
        self._bytes = 0
        self._some = threading.Condition()
        self._ending = False
        self._thread: threading.Thread | None = None
        self._too_slow, self._failed = _Sparingly(), _Sparingly()

    def tell(self, delivery: Delivery) -> None:
        if delivery.consumer in self._deaf or delivery.consumer not in self._contexts:
            return
        size = len(delivery.envelope.body)
        with self._some:
            if full := len(self._waiting) >= MOST or self._bytes + size > MOST_BYTES:
                self._lost(self._name, 1)
            else:
                self._waiting.append(delivery)
                self._bytes += size
                self._some.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"settled-{self._name}", daemon=True)
                self._thread.start()
        if full and (times := self._too_slow.now()):
            log.warning("plugin %s is too slow: it was not told of %s", self._name, counted(times, "message"))

    def end(self) -> None:
        with self._some:
            self._ending = True
            self._some.notify()

    def join(self, until: float) -> None:
        if self._thread is None:
            return
        self._thread.join(max(until - time.monotonic(), 0))
        with self._some:
            left, self._bytes = len(self._waiting), 0
            self._waiting.clear()
        if left:
            self._lost(self._name, left)
            log.warning("plugin %s was not told of %s: it is too slow", self._name, counted(left, "message"))

    def _run(self) -> None:
        try:
            while self._waiting or not self._ending:
                delivery = self._next()
                if delivery is None:
                    self._beat()
                else:
                    self._hear(delivery)
        finally:
            self._close_thread()

    def _next(self) -> Delivery | None:
        """Give the next message; ``None`` where there has been none for a while, or there will be none."""
        with self._some:
            if not self._waiting and not self._ending:
                self._some.wait(_IDLE)
            if not self._waiting:
                return None
            delivery = self._waiting.popleft()
            self._bytes -= len(delivery.envelope.body)
            return delivery

    def _hear(self, delivery: Delivery) -> None:
        token = correlation_id.set(delivery.envelope.correlation_id)
        try:
            if False in self._listen(delivery=delivery, ctx=self._contexts[delivery.consumer]):
                self._deaf.add(delivery.consumer)
        except BaseException as error:  # a thread that ends here would tell this plugin nothing ever again
            log.debug("plugin %s failed", self._name, exc_info=error)
            if times := self._failed.now():
                trace = redact(outline(error))
                log.warning(
                    "plugin %s failed after %s, lastly\n%s", self._name, counted(times, "message"), trace
                )
        finally:
            correlation_id.reset(token)


class _Sparingly:
    """Says of a trouble once a minute how often it was there."""

    def __init__(self) -> None:
        self._last, self._times = -_QUIET, 0

    def now(self) -> int:
        """Count the trouble once more; give how often it was there unsaid, or 0 while that is kept back."""
        self._times += 1
        if time.monotonic() - self._last < _QUIET:
            return 0
        self._last, times, self._times = time.monotonic(), self._times, 0
        return times
