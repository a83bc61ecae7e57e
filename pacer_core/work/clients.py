"""The clients of outside systems in one worker: opened when first needed, closed when the worker stops."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from pacer_core.config.model import ConsumerPlan, Integration
from pacer_core.model.errors import AwayError
from pacer_core.model.messages import Clients
from pacer_core.model.secrets import redact

log = logging.getLogger("pacer.integrations")


class CannotOpen(AwayError):
    """An integration could not be opened; what needs it waits."""

    def __init__(self, integration: str, why: str) -> None:
        super().__init__(f"integration {integration!r} cannot be opened: {why}")
        self.integration = integration


class OpenIntegrations:
    """Opens what a consumer enables: once per process, or once per thread where the client wants that.

    An integration that cannot be opened, because the system behind it is away, fails the task with a
    delay and is tried again with the next one: a worker outlives what it talks to.
    """

    def __init__(self) -> None:
        self._process = ExitStack()
        self._shared: dict[str, Any] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._local = threading.local()

    def clients(self, plan: ConsumerPlan) -> Clients:
        """Give the clients of one consumer for the calling thread."""
        return Clients(_Lazy(self, plan.integrations))

    def client(self, integration: Integration) -> Any:
        """Give the client of one instance for the calling thread."""
        if integration.type.per == "process":
            return self._once_per_process(integration, integration.type.open)
        clients = self._local.__dict__.setdefault("clients", {})
        if integration.name not in clients:
            share = integration.type.share
            shared = None if share is None else self._once_per_process(integration, share)
            stack = self._local.__dict__.setdefault("stack", ExitStack())
            clients[integration.name] = self._enter(stack, integration, integration.type.open, shared)
        return clients[integration.name]

    def _once_per_process(self, integration: Integration, opener: Any) -> Any:
        # A lock for each: one that hangs while it is opened holds up nobody who needs another one.
        with self._locks.setdefault(integration.name, threading.Lock()):
            if integration.name not in self._shared:
                self._shared[integration.name] = self._enter(self._process, integration, opener)
            return self._shared[integration.name]

    def _enter(self, stack: ExitStack, integration: Integration, opener: Any, *more: Any) -> Any:
        try:
            return stack.enter_context(opener(integration.options, *more))
        except BaseException as error:
            why = f"{type(error).__name__}: {redact(str(error))}"
            raise CannotOpen(integration.name, why) from error

    def close_thread(self) -> None:
        """Close what the calling thread has opened for itself."""
        _close(self._local.__dict__.pop("stack", ExitStack()))
        self._local.__dict__.pop("clients", None)

    def close(self) -> None:
        """Close what the process has opened."""
        _close(self._process)
        self._shared.clear()


def _close(stack: ExitStack) -> None:
    try:
        stack.close()
    except BaseException:
        log.exception("an integration did not close properly")


class _Lazy(Mapping[str, Any]):
    """Opens an integration when a task asks for it."""

    def __init__(self, opened: OpenIntegrations, integrations: Mapping[str, Integration]) -> None:
        self._opened, self._integrations = opened, integrations

    def __getitem__(self, name: str) -> Any:
        return self._opened.client(self._integrations[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._integrations)

    def __len__(self) -> int:
        return len(self._integrations)
