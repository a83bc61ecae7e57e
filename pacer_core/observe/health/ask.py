"""Asking a supervisor that runs on this configuration how it is."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from pacer_core.config.model import Config

_PATIENCE = 3.0


@frozen
class AskedKey:
    """The key of a key space for which most messages wait."""

    space: str
    key: str
    waiting: int


@frozen
class AskedWorker:
    """One worker: its process, what it is doing, and what it holds.

    ``kind`` is ``worker`` or ``service``. ``state`` is ``starting``, ``disconnected`` (from the broker),
    ``reading``, ``stand-by``, ``paused`` (what it needs is away), ``refused`` (by the broker: ``trouble``
    says what), ``stopping`` or ``down``; of a service ``running``, or ``hindered`` by something on its own
    side.
    ``open_breakers`` names the integrations that are away for it.
    """

    name: str
    pid: int | None
    state: str
    trouble: str
    starts: int
    crashes: int
    in_hand: int
    consumers: tuple[str, ...]
    open_breakers: tuple[str, ...]
    keys: tuple[AskedKey, ...]
    queues: Mapping[str, int]
    """By queue, how many of its messages it holds."""
    kind: str = "worker"
    published: int = 0
    """Of a service: how many messages the broker has confirmed."""


@frozen
class Asked:
    """What a supervisor says of itself."""

    version: str
    pid: int
    workers: tuple[AskedWorker, ...]
    advice: tuple[str, ...]
    """What an operator should look at although everything runs."""


def ask(config: Config) -> Asked | None:
    """Ask the supervisor of this configuration; ``None`` where none answers, or one of another file."""
    if not config.health.enabled or not config.health.port:
        return None
    connection = http.client.HTTPConnection(
        _reachable(config.health.host), config.health.port, timeout=_PATIENCE
    )
    try:
        connection.request("GET", "/status")
        response = connection.getresponse()
        if response.status != 200:
            return None
        data = json.loads(response.read())
        return _asked(data) if data["config"] == os.path.abspath(config.file) else None
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError):
        return None
    finally:
        connection.close()


def _reachable(host: str) -> str:
    """Give the address at which one that listens everywhere is reached from here."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - none is bound


def _asked(data: dict[str, Any]) -> Asked:
    workers = (
        AskedWorker(
            **one
            | {name: tuple(one[name]) for name in ("consumers", "open_breakers")}
            | {"keys": tuple(AskedKey(**key) for key in one["keys"])}
        )
        for one in data["workers"]
    )
    return Asked(data["version"], data["pid"], tuple(workers), tuple(data["advice"]))
