"""The brokers that the demo runs on: each but the first starts a server of its own, which is gone in the end.

The servers are those of PACER's own tests, started from the installed programs without root.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]  # resolved: the distribution `pacer` has this folder by a link
Main = Mapping[str, Any]
"""What ``brokers.main`` of the configuration says."""


@contextmanager
def sqlite() -> Iterator[Main]:
    """Give the broker in a file: it needs no server."""
    yield {"protocol": "sqlite", "path": "demo.db"}


@contextmanager
def rabbitmq() -> Iterator[Main]:
    """Start a RabbitMQ."""
    with _service("rabbitmq", "RabbitMQ") as server:
        yield {"protocol": "amqp", "host": "127.0.0.1", "port": server.port}


@contextmanager
def redis() -> Iterator[Main]:
    """Start a Redis."""
    with _service("redis", "Redis") as server:
        yield {"protocol": "redis", "host": "127.0.0.1", "port": server.port}


@contextmanager
def sqs() -> Iterator[Main]:
    """Start an ElasticMQ, which speaks as Amazon SQS does."""
    with _service("elasticmq", "ElasticMQ") as server:
        account = {"accessKeyId": "demo", "secretAccessKey": "demo"}
        yield {"protocol": "sqs", "region": "elasticmq", "endpoint": server.url, **account}


BROKERS: dict[str, Callable[[], AbstractContextManager[Main]]] = {
    "sqlite": sqlite,
    "rabbitmq": rabbitmq,
    "redis": redis,
    "sqs": sqs,
}


@contextmanager
def _service(module: str, name: str) -> Iterator[Any]:
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    try:
        services = import_module("tests.services")
    except ModuleNotFoundError:
        told = "--broker needs a checkout of PACER's repository: servers are started by its tests"
        raise SystemExit(told) from None
    try:
        server = getattr(import_module(f"tests.services.{module}"), name)()
    except (ModuleNotFoundError, services.ServiceMissingError) as missing:
        raise SystemExit(f"the demo starts a server of its own: {missing}") from None
    with server:
        yield server
