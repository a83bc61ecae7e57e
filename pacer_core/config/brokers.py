"""``brokers:`` of the file into brokers: what each of them has, and the options of its transport."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import attrs
from attrs import frozen

from pacer_core.config.document import Document, Path_
from pacer_core.config.model import AMQP, Broker, Brokers, Recipient
from pacer_core.config.problems import Code
from pacer_core.config.sections import camel, structure
from pacer_core.model.secrets import Secret
from pacer_core.model.suggestions import hint
from pacer_core.model.transports import BROKER_KEYS, TransportType
from pacer_core.plugins import Plugins

OWN = {camel(name) for name in BROKER_KEYS}


@frozen
class Entry:
    """One broker's mapping, where it stands, and what the file says of its kind."""

    path: Path_
    data: dict[str, Any]
    protocol: str

    @property
    def own(self) -> Collection[str]:
        """The keys that the core reads, whatever the transport is."""
        return OWN if self.path[1] == "recipients" else {"protocol"}

    def others(self, *transports: TransportType) -> dict[str, Any]:
        """Give what these transports read of it."""
        keys = {key for one in transports for key in keys_of(one)}
        return {key: value for key, value in self.data.items() if key in keys}


def keys_of(transport: TransportType) -> Collection[str]:
    """Give the keys of a transport's options, as YAML writes them."""
    return [camel(one.name) for one in attrs.fields(transport.options)]


def known(plugins: Plugins) -> Mapping[str, TransportType]:
    """Give every transport by its protocol: the core's own, and those of the plugins."""
    return dict.fromkeys(AMQP.protocols, AMQP) | dict(plugins.transports)


def entries(document: Document) -> Iterator[Entry]:
    """Give every broker of the file that is a mapping."""
    brokers, names = document.data.get("brokers"), document.names.get("brokers")
    if not isinstance(brokers, dict) or not isinstance(names, dict):
        return
    if isinstance(brokers.get("main"), dict):
        yield Entry(("brokers", "main"), brokers["main"], str(names["main"].get("protocol", "amqp")))
    recipients = brokers.get("recipients")
    for index, one in enumerate(recipients if isinstance(recipients, list) else ()):
        if isinstance(one, dict):
            protocol = str(names["recipients"][index].get("protocol", "amqp"))
            yield Entry(("brokers", "recipients", index), one, protocol)


def structured(document: Document, plugins: Plugins) -> tuple[Broker, tuple[Recipient, ...]]:
    """Give the main broker and the recipients; where they have problems, these are noted."""
    transports = known(plugins)
    found: dict[Path_, Broker] = {}
    for entry in entries(document):
        transport = transports.get(entry.protocol)
        if transport is None:
            if not isinstance(entry.data["protocol"], str | Secret):
                continue  # which is said of the key itself
            why = plugins.why_unknown("protocol", entry.protocol, transports)
            document.report((*entry.path, "protocol"), why, Code.UNKNOWN_NAME)
            continue
        _unknown_keys(document, entry, transport, transports)
        options = structure(document, entry.path, entry.others(transport), transport.options)
        if options is not None:
            found[entry.path] = Broker(entry.protocol, options, transport)
    ours = structure(document, ("brokers",), _ours(document), Brokers) or Brokers()
    recipients = [
        Recipient(**attrs.asdict(broker, recurse=False), name=one.name, forwarding_rules=one.forwarding_rules)
        for index, one in enumerate(ours.recipients)
        if (broker := found.get(("brokers", "recipients", index)))
    ]
    return found.get(("brokers", "main"), Broker()), tuple(recipients)


def _ours(document: Document) -> Any:
    """Give ``brokers:`` without what the transports read of it."""
    brokers = document.data.get("brokers")
    if not isinstance(brokers, dict):
        return {} if brokers is None else brokers
    ours: Any = {key: list(value) if isinstance(value, list) else value for key, value in brokers.items()}
    for entry in entries(document):
        kept = {key: value for key, value in entry.data.items() if key in entry.own}
        inside: Any = ours if entry.path[1] == "main" else ours["recipients"]
        inside[entry.path[-1]] = kept
    return ours


def _unknown_keys(
    document: Document, entry: Entry, transport: TransportType, transports: Mapping[str, TransportType]
) -> None:
    """Note every key that no transport has; `check_transports` knows about those of another one."""
    there = {key for one in transports.values() for key in keys_of(one)}.union(entry.own)
    for key in entry.data:
        if key not in there:
            meant = hint(key, [*entry.own, *keys_of(transport)])
            document.report((*entry.path, key), f"unknown key {key!r}{meant}", Code.UNKNOWN_KEY, key=True)
