"""The HTTP side: ``/livez``, ``/readyz``, ``/metrics`` and ``/status``."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from pacer_core import __version__
from pacer_core.config.model import Config
from pacer_core.model.wording import counted
from pacer_core.observe.health.listening import Response, Server
from pacer_core.observe.health.queues import LATELY, BrokerWatch
from pacer_core.observe.health.workers import Roster, Seen

log = logging.getLogger("pacer.health")

_JSON = "application/json"


@contextlib.contextmanager
def serving(config: Config, roster: Roster) -> Iterator[None]:
    """Answer while inside, where the configuration says so.

    An address that is taken is no reason not to run: a log record says it.
    """
    if not config.health.enabled:
        yield
        return
    pages = _Pages(config, roster)
    address = (config.health.host, config.health.port)
    try:
        server = Server(address, pages.answer)
    except OSError as error:
        log.warning(
            "nobody can see how PACER is: health.host %s, health.port %s: %s; choose another port, or write "
            "health: {enabled: false}",
            *address,
            error.strerror or error,
        )
        pages.close()
        yield
        return
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="health", daemon=True)
    thread.start()
    log.log(logging.DEBUG if config.health.port else logging.INFO, "health at %s", server.url)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        pages.close()
        thread.join(1.0)


class _Pages:
    """What there is to answer."""

    def __init__(self, config: Config, roster: Roster) -> None:
        self._config, self._roster = config, roster
        self._watch = BrokerWatch(config)
        self._pages: Mapping[str, Callable[[str], Response]] = {
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/metrics": self._metrics,
            "/status": self._status,
        }

    def answer(self, path: str, accept: str) -> Response:
        """Answer one request."""
        page = self._pages.get(path.partition("?")[0])
        if page is None:
            return 404, "text/plain", f"there are: {' '.join(self._pages)}\n".encode()
        return page(accept)

    def close(self) -> None:
        """Ask the broker no more."""
        self._watch.close()

    def _livez(self, _: str) -> Response:
        alive = self._roster.alive
        return _json(200 if alive else 503, {"alive": alive})

    def _readyz(self, _: str) -> Response:
        workers = list(self._roster.workers())
        reasons = [
            f"{one} is {one.state}" + (f": {one.trouble}" if one.trouble else "")
            for one in workers
            if not one.ready
        ]
        if not workers:
            reasons.append("no worker has been started yet")
        answer = self._watch.latest()
        if answer is None or answer.age > LATELY:
            reasons.append(f"{self._config.broker} does not answer")
        if self._roster.stopping:
            reasons.append("stopping")
        body = {"ready": not reasons, "reasons": reasons, "advice": [*self._roster.advice, *_advice(workers)]}
        return _json(503 if reasons else 200, body)

    def _metrics(self, accept: str) -> Response:
        from pacer_core.observe.health.prometheus import exposition  # 0.1 s, which only a scrape needs

        body, content_type = exposition(self._roster.workers(), self._watch.latest(), accept)
        return 200, content_type, body

    def _status(self, _: str) -> Response:
        workers = list(self._roster.workers())
        body = {
            "version": __version__,
            "pid": os.getpid(),
            "config": os.path.abspath(self._config.file),
            "workers": [_worker(one) for one in workers],
            "advice": [*self._roster.advice, *_advice(workers)],
        }
        return _json(200, body)


def _worker(seen: Seen) -> dict[str, Any]:
    shape = None if seen.snapshot is None else seen.snapshot.shape
    hottest = {} if seen.snapshot is None else seen.snapshot.hottest
    return {
        "name": seen.name,
        "kind": seen.kind,
        "pid": seen.pid,
        "state": seen.state,
        "trouble": seen.trouble,
        "starts": seen.starts,
        "crashes": seen.crashes,
        "in_hand": int(seen.now("in_hand")),
        "consumers": [] if shape is None else list(shape.tasks),
        "open_breakers": [one for one in shape.integrations if seen.now("open", one)] if shape else [],
        "keys": [
            {"space": space, "key": key, "waiting": int(waiting)}
            for space, key in hottest.items()
            if (waiting := seen.now("waiting", space))
        ],
        "queues": {queue: int(seen.now("held", queue)) for queue in shape.queues} if shape else {},
        "published": sum(int(seen.counted("published", one)) for one in shape.services) if shape else 0,
    }


def _advice(workers: list[Seen]) -> list[str]:
    """Say what an operator should look at although everything runs."""
    cut_off = [
        f"worker {one.name} cannot read its queues; `pacer doctor` says what to do about the broker"
        for one in workers
        if one.state in ("disconnected", "refused")
    ]
    aside = [
        f"worker {one.name} sets {counted(int(number), 'message')} aside, whose tasks have run: "
        f"{one.snapshot.aside}"
        for one in workers
        if one.snapshot is not None and (number := one.now("aside"))
    ]
    away = [
        f"integration {one} is away: what needs it waits at the broker; `pacer doctor` says what to do"
        for one in _integrations(workers, "open")
    ]
    blind = [
        f"integration {one}: none of the first tasks found what it needs there; look whether the account "
        f"has the rights to read"
        for one in _integrations(workers, "found_nothing")
    ]
    return cut_off + aside + away + blind


def _integrations(workers: list[Seen], gauge: str) -> list[str]:
    """Give the integrations for which a gauge of any worker's is not zero."""
    found = {
        one
        for worker in workers
        if worker.snapshot is not None
        for one in worker.snapshot.shape.integrations
        if worker.now(gauge, one)
    }
    return sorted(found)


def _json(status: int, data: Any) -> Response:
    return status, _JSON, orjson.dumps(data) + b"\n"
