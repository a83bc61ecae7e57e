"""What an ICAT-PACER does under a configuration, seen as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from attrs import field, frozen

TYPES = {
    "UsersConsumer": "users",
    "InvestigationConsumer": "investigations",
    "InvestigationOperationsConsumer": "investigation-operations",
    "DatasetsConsumer": "datasets",
    "InternalDatasetsConsumer": "datasets",
    "InternalStatisticsConsumer": "dataset-statistics",
    "InternalDatasetsLinksConsumer": "dataset-links",
    "DatasetIndexerConsumer": "dataset-index",
    "DeadLettersConsumer": "",
}
"""The classes that ICAT-PACER has, and what does their work here."""
INTERNAL, DEAD = "InternalDatasetsConsumer", "DeadLettersConsumer"
UNREAD = {
    INTERNAL: "'datasets' does the work of both: nothing comes in between",
    DEAD: "retries wait at the broker, and every queue has a dead queue",
}
"""The classes without a counterpart, and why."""


@frozen
class Consumer:
    """One of ``consumers:``, as far as it can be read."""

    name: str
    """Its class where that is one of ICAT-PACER's own, else nothing."""
    queues: tuple[str, ...]
    integrations: tuple[str, ...]


@frozen
class Old:
    """A configuration as plain data, whatever is wrong with it."""

    data: dict[str, Any]
    consumers: tuple[Consumer, ...] = field(init=False)

    def __attrs_post_init__(self) -> None:
        found = tuple(_consumer(one) for one in _dicts(self.data.get("consumers")))
        object.__setattr__(self, "consumers", found)

    def at(self, *path: str) -> Any:
        """Give a value, or ``None`` where there is none."""
        value: Any = self.data
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def enabled(self, integration: str) -> bool:
        """Tell whether an integration is switched on."""
        return isinstance(self.at("integrations", integration), dict) and bool(
            self.at("integrations", integration, "enabled")
        )

    def setting(self, *path: str) -> Any:
        """Give one of ``ingestionSettings``."""
        return self.at("ingestionSettings", *path)

    @property
    def index(self) -> str:
        """The index of datasets in Elasticsearch; empty where nothing is indexed."""
        name = self.setting("dataset", "datasetElasticIndexName")
        return name if isinstance(name, str) and self.enabled("elastic") else ""

    @property
    def amqp(self) -> bool:
        """Whether the broker is a RabbitMQ."""
        return self.at("brokers", "main", "protocol") in (None, "amqp", "amqps", "pyamqp")

    def gone(self, queue: Any) -> str:
        """Say why a queue is read by nobody any more; nothing where that is not so."""
        names = {one.name for one in self.consumers if queue in one.queues}
        if names and names <= UNREAD.keys():
            return UNREAD[sorted(names)[-1]]
        if not names and self._logs(queue):
            return "the dashboard reads it, and it is there"
        return ""

    def _logs(self, queue: Any) -> bool:
        exchange = self.at("integrations", "dashboard", "exchangeName") or "dashboard-logging-exchange"
        return any(one.get("exchange") == exchange for one in _named(self.data.get("queues"), queue))

    def empty(self, exchange: Any) -> bool:
        """Tell whether all queues of an exchange are gone, for which somebody of ours has sent to it."""
        if exchange == (self.at("integrations", "dashboard", "exchangeName") or "dashboard-logging-exchange"):
            return not self.enabled("dashboard")
        rules = [
            rule
            for one in _dicts(self.at("brokers", "recipients"))
            for rule in _dicts(one.get("forwardingRules"))
        ]
        if any(rule.get("fromExchange") == exchange for rule in rules):
            return False
        queues = [
            one.get("name") for one in _dicts(self.data.get("queues")) if one.get("exchange") == exchange
        ]
        return bool(queues) and all(self.gone(queue) for queue in queues)

    def routing_key(self, exchange: Any) -> str | None:
        """Give the routing key of an exchange's only queue."""
        keys = {
            one.get("routingKey")
            for one in _dicts(self.data.get("queues"))
            if one.get("exchange") == exchange
        }
        return keys.pop() if len(keys) == 1 else None

    def reads(self, name: str) -> tuple[Consumer, ...]:
        """Give the consumers of one of ICAT-PACER's classes."""
        return tuple(one for one in self.consumers if one.name == name)


def own(class_name: Any, module: Any) -> str:
    """Give a class's name where it is one of ICAT-PACER's own."""
    known = isinstance(class_name, str) and class_name in TYPES
    ours = known and (module is None or re.match(r"(\w+\.)?consumers\b", str(module)))
    return str(class_name) if ours else ""


def _consumer(data: dict[str, Any]) -> Consumer:
    return Consumer(
        own(data.get("className"), data.get("module")),
        _texts(data.get("queues")),
        _texts(data.get("integrations")),
    )


def _texts(data: Any) -> tuple[str, ...]:
    return tuple(str(one) for one in (data if isinstance(data, list) else [data] if data else []))


def _dicts(data: Any) -> Iterator[dict[str, Any]]:
    return (one for one in (data if isinstance(data, list) else ()) if isinstance(one, dict))


def _named(data: Any, name: Any) -> Iterator[dict[str, Any]]:
    return (one for one in _dicts(data) if one.get("name") == name)
