"""Breakers: while an outside system is away, what needs it is put off instead of tried."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import define

from pacer_core.config.model import ConsumerPlan, Integration
from pacer_core.model.consumers import Task
from pacer_core.model.errors import NotYet, PacerError
from pacer_core.model.secrets import redact
from pacer_core.pipeline.unexpected import label
from pacer_core.work.clients import CannotOpen

log = logging.getLogger("pacer.breakers")

THRESHOLD = 3
"""Failures in a row that say "away" before a breaker opens: one may be a hiccup."""
LOOKUPS = 20
"""Tasks in a row, from the first on, that found nothing: an ICAT account without rights looks like that."""
PROBE = 5.0
"""Seconds between harmless calls that find out whether the system is back."""


@define(eq=False)
class Breaker:
    """The breaker of one integration instance in one process."""

    integration: Integration
    failures: int = 0
    opened: float | None = None
    """When it opened, on the monotonic clock; ``None`` while it is closed."""
    fruitless: int | None = 0
    """How many tasks have ended in `NotYet`; ``None`` once one of them has found what it needs."""

    @property
    def open(self) -> bool:
        """Whether what needs this integration is put off."""
        return self.opened is not None

    @property
    def found_nothing(self) -> bool:
        """Whether none of the first tasks has found what it looked for: look at the account's rights."""
        return self.fruitless is not None and self.fruitless >= LOOKUPS


class Breakers:
    """The breakers of a worker; told of every task's end, asked before every task's beginning."""

    def __init__(self, plans: Sequence[ConsumerPlan], client: Callable[[Integration], Any]) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._breakers = {one.name: Breaker(one) for plan in plans for one in plan.integrations.values()}

    @property
    def all(self) -> Mapping[str, Breaker]:
        """Every breaker by the name of its integration instance."""
        return self._breakers

    def blocks(self, plan: ConsumerPlan, task: Task) -> str | None:
        """Name the open breaker that a task would run into, or ``None``."""
        for integration in self._needs(plan, task):
            if self._breakers[integration.name].open:
                return integration.name
        return None

    def ended(self, plan: ConsumerPlan, task: Task, error: BaseException | None) -> None:
        """Take note of how a task ended: a failure that says "away" counts, a success clears the count."""
        for integration in self._needs(plan, task):
            breaker = self._breakers[integration.name]
            if error is None:
                breaker.failures, breaker.fruitless = 0, None
            elif isinstance(error, NotYet):
                self._fruitless(breaker)
            elif _says_away(integration, error):
                self._count(breaker, error)

    def paused(self, plans: Sequence[ConsumerPlan]) -> bool:
        """Whether every task of every one of these consumers would be put off."""
        tasks = [(plan, task) for plan in plans for task in plan.pipeline.tasks]
        return bool(tasks) and all(self.blocks(plan, task) for plan, task in tasks)

    def probe(self, stopping: threading.Event) -> None:
        """Look every few seconds whether what is away has come back, until told to stop."""
        while not stopping.wait(PROBE):
            for breaker in self._breakers.values():
                if breaker.open:
                    self._try(breaker)

    def _needs(self, plan: ConsumerPlan, task: Task) -> list[Integration]:
        return [plan.integrations[one.name] for one in task.needs if one.name in plan.integrations]

    def _count(self, breaker: Breaker, error: BaseException) -> None:
        with self._lock:
            breaker.failures += 1
            if breaker.open or breaker.failures < THRESHOLD:
                return
            breaker.opened = time.monotonic()
        log.warning(
            "integration %s is away, what needs it waits: %s",
            breaker.integration.name,
            redact(str(error) if isinstance(error, PacerError) else label(error)),
        )

    def _fruitless(self, breaker: Breaker) -> None:
        with self._lock:
            if breaker.fruitless is None:
                return
            breaker.fruitless += 1
            first = breaker.fruitless == LOOKUPS
        if first:
            log.warning(
                "integration %s: none of the first %s tasks found what it needs there; look whether the "
                "account has the rights to read",
                breaker.integration.name,
                LOOKUPS,
            )

    def _try(self, breaker: Breaker) -> None:
        check = breaker.integration.type.check
        try:
            client = self._client(breaker.integration)
            if check is not None:
                check(client)
        except BaseException as error:
            log.debug("integration %s is still away: %s", breaker.integration.name, redact(str(error)))
            return
        with self._lock:
            breaker.failures, breaker.opened = 0, None
        log.warning("integration %s is back", breaker.integration.name)


def _says_away(integration: Integration, error: BaseException) -> bool:
    """Ask the integration about an exception and what it was raised from."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, CannotOpen) and seen.integration == integration.name:
            return True
        try:
            if integration.type.is_away(seen):
                return True
        except BaseException:
            log.exception("is_away() of integration type %s failed", integration.type.name)
            return False
        seen = seen.__cause__
    return False
