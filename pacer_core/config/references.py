"""Names that refer to other names: checked on the plain data, so that one bad entry hides no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from pacer_core.config.document import UNRESOLVED, Document, Path_
from pacer_core.config.problems import Code
from pacer_core.model.queue_names import DEAD, RETRY
from pacer_core.model.suggestions import hint
from pacer_core.plugins import Plugins


def check_references(document: Document, plugins: Plugins) -> None:
    """Note every name that is unknown, given twice, or unused."""
    for section in ("exchanges", "queues", "consumers", "services"):
        _unique(document, section)
    _queues(document)
    _readers(document)
    _recipients(document)
    _integrations(document, plugins)
    for path, consumer in entries(document, "consumers"):
        _consumer(document, plugins, path, consumer)


def entries(document: Document, section: str) -> Iterator[tuple[Path_, dict[str, Any]]]:
    """Give the entries of a list that are mappings, each with its path."""
    data = document.names.get(section)
    for index, item in enumerate(data if isinstance(data, list) else ()):
        if isinstance(item, dict):
            yield (section, index), item


def name_of(item: dict[str, Any]) -> str | None:
    """Give the name by which an entry is known; a consumer without one goes by its type."""
    name = item.get("name") or item.get("type")
    return name if isinstance(name, str) else None


def type_and_instance(name: Any) -> tuple[str | None, str | None]:
    """Read one of a consumer's ``integrations``: ``icat`` names an instance, ``{icat: icat-test}`` both."""
    if isinstance(name, str):
        return None, name
    if isinstance(name, dict) and len(name) == 1:
        ((kind, instance),) = name.items()
        return kind, instance if isinstance(instance, str) else None
    return None, None


def _names(document: Document, section: str) -> list[str]:
    return [name for _, item in entries(document, section) if (name := name_of(item))]


def _unique(document: Document, section: str) -> None:
    counts = Counter(_names(document, section))
    seen: set[str] = set()
    for path, item in entries(document, section):
        name = name_of(item)
        if name in seen and counts[name] > 1:
            key = "name" if "name" in item else "type"
            more = "" if key == "name" else ": give each a 'name'"
            document.report(
                (*path, key), f"{section[:-1]} {name!r} is there twice{more}", Code.DUPLICATE_NAME
            )
        if name:
            seen.add(name)


def _queues(document: Document) -> None:
    exchanges = _names(document, "exchanges")
    read = {
        name
        for _, consumer in entries(document, "consumers")
        for name in _listed(consumer.get("queues"))
        if isinstance(name, str)
    }
    names = _names(document, "queues")
    read.update(_texts([item.get("options") for _, item in entries(document, "services")]))
    for path, queue in entries(document, "queues"):
        exchange, name = queue.get("exchange"), name_of(queue)
        if isinstance(exchange, str) and exchange not in exchanges:
            meant = hint(exchange, exchanges)
            document.report((*path, "exchange"), f"unknown exchange {exchange!r}{meant}", Code.UNKNOWN_NAME)
        if queue.get("priorityEnabled") is True and queue.get("type", "quorum") == "quorum":
            document.report(
                (*path, "priorityEnabled"),
                "priorities need 'type: classic': quorum queues have none",
                Code.BAD_VALUE,
            )
        if name and (taken := _taken(name, names)):
            document.report((*path, "name"), taken, Code.DUPLICATE_NAME)
        level = queue.get("maxPriorityLevel")
        if isinstance(level, int) and not isinstance(level, bool) and not 1 <= level <= 255:
            document.report((*path, "maxPriorityLevel"), "should be between 1 and 255", Code.BAD_VALUE)
        if queue.get("policy") is not None and queue.get("declare") != "passive":
            document.report(
                (*path, "policy"),
                "needs 'declare: passive': PACER gives its own queues their limit; leave 'policy' out",
                Code.BAD_VALUE,
                key=True,
            )
        if name and read and name not in read:  # where nothing is read, that is an error by itself
            document.report(
                (*path, "name"), f"no consumer reads queue {name!r}", Code.UNUSED, severity="warning"
            )


def _texts(data: Any) -> Iterator[str]:
    """Give every text in the options of services: some are queues, which somebody reads elsewhere."""
    if isinstance(data, str):
        yield data
    for one in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from _texts(one)


def _taken(name: str, names: list[str]) -> str | None:
    """Say why a queue may not have this name: PACER declares one of its own by it, with other arguments."""
    of = name.removesuffix(DEAD)
    if of != name and of in names:
        return f"{name!r} is the dead queue of {of!r}: give this queue another name"
    return (
        f"{name!r} is a retry queue of PACER's: give this queue another name"
        if name.startswith(RETRY)
        else None
    )


def _readers(document: Document) -> None:
    """Note each queue that two consumers read: every message would reach one of them, nobody knows which."""
    readers: dict[str, str | None] = {}
    for path, consumer in entries(document, "consumers"):
        queues = consumer.get("queues")
        if consumer.get("enabled", True) is not True or not isinstance(queues, list):
            continue
        for index, queue in enumerate(queues):
            if isinstance(queue, str) and queue in readers:
                document.report(
                    (*path, "queues", index),
                    f"queue {queue!r} is read by consumer {readers[queue]!r} already: give each its own",
                    Code.DUPLICATE_NAME,
                )
            elif isinstance(queue, str):
                readers[queue] = name_of(consumer)


def _recipients(document: Document) -> None:
    brokers = document.names.get("brokers")
    recipients = brokers.get("recipients") if isinstance(brokers, dict) else None
    named = [one for one in recipients if isinstance(one, dict)] if isinstance(recipients, list) else []
    names = [str(one.get("name")) for one in named]
    exchanges = _names(document, "exchanges")
    for index, recipient in enumerate(named):
        path: Path_ = ("brokers", "recipients", index)
        if names.index(str(recipient.get("name"))) != index:
            document.report(
                (*path, "name"), f"recipient {recipient.get('name')!r} is there twice", Code.DUPLICATE_NAME
            )
        rules = recipient.get("forwardingRules")
        for number, rule in enumerate(rules if isinstance(rules, list) else ()):
            here = (*path, "forwardingRules", number)
            for key, known, what in (
                ("fromExchange", exchanges, "exchange"),
                ("toBroker", names, "recipient"),
            ):
                name = rule.get(key) if isinstance(rule, dict) else None
                if key == "fromExchange" and name == "":
                    continue  # the default exchange, by which a message came that was sent to its queue
                if isinstance(name, str) and name not in known:
                    meant = hint(name, known)
                    document.report((*here, key), f"unknown {what} {name!r}{meant}", Code.UNKNOWN_NAME)


def _integrations(document: Document, plugins: Plugins) -> None:
    data = document.names.get("integrations")
    if data is not None and not isinstance(data, dict):
        document.report(("integrations",), "'integrations' should be a mapping", Code.WRONG_TYPE)
    for name, options in data.items() if isinstance(data, dict) else ():
        kind = _kind(name, options)
        if kind is not None and kind not in plugins.integrations:
            why = plugins.why_unknown("integration type", kind, plugins.integrations)
            document.report(("integrations", name), why, Code.UNKNOWN_NAME, key=True)


def _kind(name: str, options: Any) -> str | None:
    """Give the type of an integration; ``None`` where it was reported when the file was read."""
    kind = options.get("type", name) if isinstance(options, dict) else name
    return None if kind is UNRESOLVED else str(kind)


def _listed(value: Any) -> list[Any]:
    """Give a list; what should be one and is not is reported where it is structured."""
    return value if isinstance(value, list) else []


def _consumer(document: Document, plugins: Plugins, path: Path_, consumer: dict[str, Any]) -> None:
    kind = consumer.get("type")
    if isinstance(kind, str) and kind not in plugins.consumers:
        why = plugins.why_unknown("consumer type", kind, plugins.consumers)
        document.report((*path, "type"), why, Code.UNKNOWN_NAME)
    queues = consumer.get("queues")
    if queues == [] or ("queues" in consumer and queues is None):
        document.report((*path, "queues"), "a consumer needs at least one queue", Code.BAD_VALUE)
    known = _names(document, "queues")
    for index, queue in enumerate(queues if isinstance(queues, list) else ()):
        if isinstance(queue, str) and queue not in known:
            meant = hint(queue, known)
            document.report((*path, "queues", index), f"unknown queue {queue!r}{meant}", Code.UNKNOWN_NAME)
    _consumer_integrations(document, path, consumer)


def _consumer_integrations(document: Document, path: Path_, consumer: dict[str, Any]) -> None:
    names = consumer.get("integrations")
    configured = document.names.get("integrations")
    configured = configured if isinstance(configured, dict) else {}
    enabled: set[str] = set()
    for index, name in enumerate(names if isinstance(names, list) else ()):
        here = (*path, "integrations", index)
        kind, instance = type_and_instance(name)
        if instance is None:
            continue
        if instance not in configured:
            meant = hint(instance, configured)
            document.report(
                here,
                f"integration {instance!r} is not configured under 'integrations'{meant}",
                Code.UNKNOWN_NAME,
            )
            continue
        options = configured[instance]
        real = _kind(instance, options)
        if real is None:
            continue
        if kind is not None and real != kind:
            document.report(here, f"{instance!r} is of type {real!r}, not {kind!r}", Code.BAD_VALUE)
        if real in enabled:
            document.report(
                here, f"integration type {real!r} is enabled twice for one consumer", Code.DUPLICATE_NAME
            )
        enabled.add(real)
